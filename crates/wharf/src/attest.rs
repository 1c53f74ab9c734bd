//! Records of releases beside their images: put there after a deploy, read where the cluster has none.

use crate::context::Context;
use crate::project::Project;
use crate::registry;
use crate::stages::Run;
use ::delivery::Record;
use ::delivery::inventory::Inventory;
use ::delivery::ledger::Ledger;
use ::delivery::statement::{LARGEST, MEDIA_TYPE, Statement};
use base::{Problem, ProblemKind};
use blobs::remote::Artifact;
use oci::{Digest, Reference};

/// Records of one image that are read.
const MOST: usize = 50;

/// A record beside an image.
pub struct Beside {
    /// It agrees with itself.
    pub statement: Statement,
    /// Whether a ledger at hand has its entries; otherwise it is the registry's word and nothing more.
    pub vouched: bool,
}

/// Puts the record of what a run deployed beside each of its images, where a registry has them. One that takes none has the images
/// all the same: that is told, and is no failure.
pub fn attach(run: &mut Run) {
    let Some(release) = run.released.take().filter(|_| std::mem::take(&mut run.recorded)) else { return };
    if run.registry().is_none() || run.images.is_empty() {
        return;
    }
    crate::interrupt::doing("after the deploy: the release stands, its record may not stand beside its images");
    match attached(run, &release) {
        Ok(digests) if run.context.output.is_json() => run.context.output.json(&serde_json::json!({"attached": digests})),
        Ok(_) => {}
        Err(problem) => run.context.output.warning(&format!("the record is not beside the images: {}", problem.message)),
    }
}

fn attached(run: &Run, release: &str) -> Result<Vec<Digest>, Problem> {
    let (cluster, project) = (run.cluster()?, run.project.name());
    let remote = registry::remote(&run.context, &run.project)?;
    let images: Vec<Reference> = run.images.values().map(|image| crate::registries::reference(image)).collect::<Result<_, Problem>>()?;
    run.tokio.block_on(async {
        let Some(record) = Record::load(&cluster, project, project, release).await? else { return Ok(Vec::new()) };
        let inventory = Inventory::load(&cluster, project, project).await?;
        let subjects: Vec<(String, Digest)> = images.iter().filter_map(|image| image.digest.map(|digest| (image.name(), digest))).collect();
        let artifact = Artifact {
            artifact_type: MEDIA_TYPE.to_owned(),
            media_type: MEDIA_TYPE.to_owned(),
            content: Statement::of(&record, &inventory, &subjects)?.to_bytes()?,
            annotations: [
                ("org.opencontainers.image.created".to_owned(), record.created.clone()),
                ("local.wharf.project".to_owned(), record.project.clone()),
                ("local.wharf.release".to_owned(), record.id.clone()),
            ]
            .into(),
        };
        let mut digests = Vec::new();
        for image in &images {
            digests.push(remote.attach(image, &artifact).await.map_err(registry::problem)?);
        }
        Ok(digests)
    })
}

/// The records that stand beside an image, those that a ledger at hand vouches for before the others, the newest first; and what is
/// wrong with others still. Whoever may write to the registry can put more of them there, of any date.
///
/// # Errors
/// When the registry cannot be asked.
async fn records(
    context: &Context,
    project: &Project,
    image: &Reference,
    at_hand: &[Ledger],
) -> Result<(Vec<Beside>, Vec<Problem>), Problem> {
    let remote = registry::remote(context, project)?;
    let digest = match image.digest {
        Some(digest) => digest,
        None => remote.resolve(image).await.map_err(registry::problem)?.digest,
    };
    let listed = remote.referrers(image, Some(MEDIA_TYPE)).await.map_err(registry::problem)?;
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for one in listed.iter().rev().take(MOST) {
        let bytes = remote.artifact(image, one, LARGEST).await.map_err(registry::problem);
        match bytes.and_then(|bytes| Statement::read(&bytes, &digest)) {
            Ok(statement) => read.push(Beside { vouched: at_hand.iter().any(|ledger| statement.is_vouched_by(ledger)), statement }),
            Err(problem) => wrong.push(problem),
        }
    }
    let last = |beside: &Beside| beside.statement.predicate.entries.last().map(|entry| (entry.at.clone(), entry.number));
    read.sort_by_key(|beside| std::cmp::Reverse((beside.vouched, last(beside))));
    Ok((read, wrong))
}

/// The newest record beside one of some images, of one release or of any; before all, one that a ledger at hand vouches for.
///
/// # Errors
/// When a registry cannot be asked, has none, or only some that do not agree with themselves.
pub async fn newest(
    context: &Context,
    project: &Project,
    images: &[Reference],
    release: Option<&str>,
    at_hand: &[Ledger],
) -> Result<Beside, Problem> {
    let mut wrong = Vec::new();
    for image in images {
        let (read, bad) = records(context, project, image, at_hand).await?;
        let found = read.into_iter().find(|beside| release.is_none_or(|release| beside.statement.predicate.record.id == release));
        if let Some(found) = found {
            return Ok(found);
        }
        wrong.extend(bad);
    }
    let names: Vec<String> = images.iter().map(ToString::to_string).collect();
    let none = || Problem::new(ProblemKind::Target, format!("no record stands beside {}", names.join(", ")));
    Err(wrong.into_iter().next().unwrap_or_else(none))
}
