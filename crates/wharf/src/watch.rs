//! What runs, matched again when the advisories change: from the lists of packages that were kept, without looking at any image.

mod news;
mod running;

use crate::context::Context;
use crate::notify::Office;
use crate::project::Project;
use crate::settings::{LOCAL_FILE, Notify, PROJECT_FILE};
use crate::{advisories, gate, scan};
use base::files::{make_folder, read_if_exists, write_atomically};
use base::{Clock, Problem, ProblemKind, SystemClock, Timestamp};
use monitor::Put;
use running::{Seen, Workload};
use scanner::Inventory;
use scanner::gate::age;
use scanner::matching::{Asked, Options};
use scanner::rematch::{Running, Told, rematch};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked whether the index is another one.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked what runs now, so that a release's own findings are known before the index changes.
const AGAIN: Duration = Duration::from_secs(30);

/// A watch over one project in one environment.
pub struct Watch {
    context: Context,
    project: Project,
    /// The project's files as they were read.
    settings: [Stamp; 2],
    office: Office,
    /// What was said before; it is not said each time.
    said: BTreeSet<String>,
}

/// What is known from one look to the next, also after a restart.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    told: Told,
    /// What the cluster said last; none before it was reached.
    running: Option<Vec<Workload>>,
}

/// A file as it was: another inode, time or length is another content.
type Stamp = Option<(u64, i64, i64, u64)>;

impl Watch {
    /// Over the project of a folder; whoever stands in its `notify` is told.
    ///
    /// # Errors
    /// Everything that is wrong in its settings.
    pub fn new(context: &Context, folder: &Path, office: Office) -> Result<Self, Problem> {
        // Before they are read: what is written meanwhile is another change.
        let settings = settings_files(folder);
        let project = Project::load(context, Some(folder))?;
        office.introduce(&project.settings().notify, &project.folder);
        Ok(Self { context: context.clone(), project, settings, office, said: BTreeSet::new() })
    }

    /// Watches for as long as it is polled. What goes wrong is warned of and tried again.
    pub async fn run(mut self) -> std::convert::Infallible {
        let (mut seen, mut last): (Stamp, Option<Instant>) = (None, None);
        let mut failed: Option<String> = None;
        loop {
            let now = self.index_file();
            if self.read_again() {
                last = None;
            }
            if now != seen || last.is_none_or(|last| last.elapsed() >= AGAIN) {
                (seen, last) = (now, Some(Instant::now()));
                let why = self.look().await.err().map(|problem| problem.message);
                if let Some(why) = why.as_ref().filter(|why| failed.as_ref() != Some(why)) {
                    self.context.output.warning(why);
                }
                failed = why;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn index_file(&self) -> Stamp {
        stamp(&advisories::folder(&self.context.home).join("state.json"))
    }

    /// Takes what the project's files say now, where they were changed; what they said before counts until they can be read.
    fn read_again(&mut self) -> bool {
        let settings = settings_files(&self.project.folder);
        if settings == self.settings {
            return false;
        }
        self.settings = settings;
        let output = &self.context.output;
        match Project::load(&self.context, Some(&self.project.folder)) {
            Ok(project) if project.name() == self.project.name() => {
                self.office.introduce(&project.settings().notify, &project.folder);
                output.say("the settings were changed, and are read again");
                self.project = project;
                return true;
            }
            Ok(project) => output.warning(&format!(
                "the project is called {} now; {} is watched with the settings from before until `wharf monitor --stop`",
                project.name(),
                self.project.name()
            )),
            Err(problem) => output.warning(&format!("the settings were changed, those from before count: {}", described(&problem))),
        }
        false
    }

    fn say_once(&mut self, message: &str) {
        if self.said.insert(message.to_owned()) {
            self.context.output.warning(message);
        }
    }

    /// Matches everything that runs, once.
    async fn look(&mut self) -> Result<(), Problem> {
        let settings = self.project.settings();
        let Some(index) = advisories::open(&self.context.home, &settings.advisories.keys)? else {
            self.say_once("this machine has no advisories; `wharf advisories update` fetches them");
            return Ok(());
        };
        let options = Options { development: settings.gates.scan.as_ref().is_some_and(|gate| gate.development) };
        let now = SystemClock.now();
        // What is published after them is not heard of.
        if let Err(stale) = age(&Asked::of(&index), &gate::of(settings.gates.scan.as_ref()), now) {
            self.say_once(&format!("{stale}; `wharf advisories update` fetches newer ones"));
        }
        let Kept { mut told, running } = self.kept()?;
        let Seen { workloads, doubt } = running::of(&self.context, &self.project, running.as_deref()).await?;
        if let Some(doubt) = &doubt {
            self.say_once(doubt);
        }
        let inventories = self.inventories(&workloads)?;
        for (workload, inventory) in pairs(&workloads, &inventories) {
            self.introduce(&mut told, workload, inventory, &index, &options, now)?;
        }
        let runs: Vec<Running<'_>> = pairs(&workloads, &inventories).map(|(workload, inventory)| workload.running(inventory)).collect();
        let (new, mut told) = rematch(&runs, &told, &index, &options, now).map_err(advisories::problem)?;
        self.tell(&new, now)?;
        // Only the cluster itself says that something does not run any more; of what could not be matched for once it is known still.
        let running = if doubt.is_none() {
            told.keep_only(workloads.iter().map(|one| (one.name.as_str(), one.image_id.as_str())));
            Some(workloads)
        } else {
            running
        };
        // Only then: killed in between, the same keys are put again and known.
        self.keep(&Kept { told, running })
    }

    /// What a release was let through with is no news. Of a release that says nothing about it, what is known now is none.
    fn introduce(
        &self,
        told: &mut Told,
        workload: &Workload,
        inventory: &Inventory,
        index: &scanner::advisories::index::Index,
        options: &Options,
        now: Timestamp,
    ) -> Result<(), Problem> {
        if told.knows(&workload.name, &workload.image_id) {
            return Ok(());
        }
        match &workload.known {
            Some(known) => told.take_known(&workload.name, &workload.image_id, known.iter().cloned()),
            None => {
                let report = scanner::matching::scan(inventory, index, options, now).map_err(advisories::problem)?;
                told.take(&workload.name, &workload.image_id, &report);
            }
        }
        Ok(())
    }

    fn inventories(&mut self, workloads: &[Workload]) -> Result<BTreeMap<String, Inventory>, Problem> {
        let store = crate::commands::image::open(&self.context)?;
        let ids: BTreeSet<(&str, &str)> = workloads.iter().map(|one| (one.image_id.as_str(), one.image.as_str())).collect();
        let mut found = BTreeMap::new();
        for (id, name) in ids {
            let kept = scan::kept(&store, id);
            // An image that was never looked at, where it is here.
            let looked = || store.images().resolve(id).ok().and_then(|image| scan::inventory_of_image(&store, &image, name).ok());
            match kept.or_else(looked) {
                Some(inventory) => {
                    found.insert(id.to_owned(), inventory);
                }
                None => self.say_once(&format!("nothing is known of what is in {name} ({id}): it was built on another machine")),
            }
        }
        Ok(found)
    }

    fn tell(&self, new: &[scanner::rematch::New], now: Timestamp) -> Result<(), Problem> {
        let notify: &BTreeMap<String, Notify> = &self.project.settings().notify;
        for notice in news::notices(self.project.name(), &self.context.globals.env, new, now) {
            let put = self.office.tell(notify, &notice)?;
            // Put by a look that came to no end, or by a process that was killed.
            if put == Put::Known {
                continue;
            }
            let output = &self.context.output;
            if output.is_json() {
                output
                    .json(&json!({"new": {"key": notice.key, "subject": notice.subject, "text": notice.text, "put": format!("{put:?}")}}));
            } else {
                output.data(&crate::output::printable(&notice.line()));
            }
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        let env = crate::notify::file_name(&self.context.globals.env);
        self.context.home.join("notices").join("watched").join(format!("{}.{env}.json", self.project.name()))
    }

    fn kept(&self) -> Result<Kept, Problem> {
        let bytes = read_if_exists(&self.path()).map_err(host)?;
        // A file that cannot be read is like none: at worst what a release says of itself is the measure again.
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    fn keep(&self, kept: &Kept) -> Result<(), Problem> {
        let path = self.path();
        let text = serde_json::to_vec(kept).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        if read_if_exists(&path).is_ok_and(|before| before.as_deref() == Some(&text)) {
            return Ok(());
        }
        let made = path.parent().map_or(Ok(()), |folder| make_folder(folder, 0o700));
        made.and_then(|()| write_atomically(&path, &text, 0o600)).map_err(host)
    }
}

fn pairs<'a>(
    workloads: &'a [Workload],
    inventories: &'a BTreeMap<String, Inventory>,
) -> impl Iterator<Item = (&'a Workload, &'a Inventory)> {
    workloads.iter().filter_map(|workload| Some((workload, inventories.get(&workload.image_id)?)))
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.ino(), about.mtime(), about.mtime_nsec(), about.len()))
}

fn settings_files(folder: &Path) -> [Stamp; 2] {
    [PROJECT_FILE, LOCAL_FILE].map(|name| stamp(&folder.join(name)))
}

fn described(problem: &Problem) -> String {
    let first = problem.findings.first().map(|finding| format!(": {} {}", finding.place, finding.message)).unwrap_or_default();
    format!("{}{first}", problem.message)
}

fn host(error: base::files::FileError) -> Problem {
    Problem::new(ProblemKind::Host, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Source;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        globals: crate::context::Globals,
    }

    #[test]
    fn changed_settings_count_at_once_and_broken_ones_not() {
        let folder = std::env::temp_dir().join(format!("wharf-watch-{}", base::ids::suffix(8)));
        make_folder(&folder, 0o700).expect("a folder");
        let home = folder.join("home");
        let globals = Flags::try_parse_from(["wharf", "--quiet", "--home", home.to_str().expect("UTF-8")]).expect("flags").globals;
        let output = crate::output::Output::new(&globals);
        let context = Context::new(globals, output).expect("a context");
        let write = |text: &str| std::fs::write(folder.join(PROJECT_FILE), text).expect("written");
        let notify = |name: &str| format!("project: shop\nnotify:\n  {name}: {{ webhook: \"https://example.com/{name}\" }}\n");
        write(&notify("ops"));
        let office = Office::open(&home, Source::Monitor { project: "shop", environment: "local" }).expect("open");
        let mut watch = Watch::new(&context, &folder, office.clone()).expect("a watch");
        let told = |watch: &Watch| watch.project.settings().notify.keys().cloned().collect::<Vec<String>>();
        assert!(!watch.read_again() && office.knows("ops"));
        write(&notify("chat"));
        assert!(watch.read_again() && !watch.read_again());
        assert_eq!(told(&watch), ["chat"]);
        assert!(office.knows("chat") && !office.knows("ops"), "the book too");
        for other in ["project: [\n".to_owned(), notify("more").replace("shop", "other")] {
            write(&other);
            assert!(!watch.read_again(), "{other}");
            assert_eq!(told(&watch), ["chat"]);
        }
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
