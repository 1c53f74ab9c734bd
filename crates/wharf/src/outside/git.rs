//! Repositories for `ADD`, by the host's own git. It sees nothing of the user: no configuration, no credentials but those given.

use crate::interrupt::{self, Kind};
use builder::{CheckOut, Repositories, Repository, Unavailable};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What of the environment git may see: the way to programs and servers, and nothing else of the user.
pub const KEPT: [&str; 13] = [
    "PATH",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
];
/// How git behaves, whatever the host says; nothing of a repository is ever run.
const CONFIG: [(&str, &str); 11] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.autocrlf", "false"),
    ("core.symlinks", "true"),
    ("core.logAllRefUpdates", "false"),
    ("credential.helper", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "60"),
];
/// git's own messages have an end.
const MAX_MESSAGE: u64 = 64 * 1024;
/// A list of references that fits what was asked for.
const MAX_LIST: u64 = 1 << 20;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostGit;

impl Repositories for HostGit {
    fn commit(&self, repository: &Repository) -> Result<String, Unavailable> {
        let wanted = if repository.reference.is_empty() { "HEAD" } else { &repository.reference };
        let peeled = format!("{wanted}^{{}}");
        let listed = Git::of(repository).run(None, &["ls-remote", "--", &repository.url, wanted, &peeled])?;
        chosen(&listed, wanted).ok_or_else(|| Unavailable {
            message: format!("the repository `{}` has no branch or tag `{wanted}`", repository.url),
            hint: "a commit is written with all digits of its id".to_owned(),
            is_unreachable: false,
        })
    }

    fn check_out(&self, repository: &Repository, commit: &str, how: CheckOut, folder: &Path) -> Result<(), Unavailable> {
        let git = Git::of(repository);
        fs::create_dir(folder).map_err(|error| own(folder, &error))?;
        let format = if commit.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        let inside = |arguments: &[&str]| git.run(Some(folder), arguments);
        inside(&["init", "--quiet", "--template=", format, "."])?;
        inside(&["remote", "add", "--", "origin", &repository.url])?;
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        let shallow = inside(&[&fetch[..], &["--depth=1", "--", "origin", commit]].concat());
        if let Err(first) = shallow {
            // Not every server gives a commit by its id; all have the branches and tags that lead to it.
            inside(&[&fetch[..], &["--", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]].concat())
                .map_err(|_| first)?;
        }
        inside(&["checkout", "--quiet", "--force", "--detach", commit, "--"])?;
        let found = inside(&["rev-parse", "HEAD"])?;
        if found.trim() != commit {
            return Err(no(format!("git checked `{}` out, and not {commit}", found.trim())));
        }
        if how.submodules && folder.join(".gitmodules").is_file() {
            inside(&["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", "--recommend-shallow"])?;
        }
        settle(folder, how.keep_git_dir).map_err(|error| own(folder, &error))
    }
}

/// The commit of a line of `ls-remote`: a whole name first, then tags - what they lead to - and branches, as git itself.
fn chosen(listed: &str, wanted: &str) -> Option<String> {
    let is_id = |id: &&str| [40, 64].contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let named = |name: &str| listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, own)| *own == name).map(|(id, _)| id);
    let names = [wanted.to_owned(), format!("refs/tags/{wanted}"), format!("refs/heads/{wanted}")];
    names.iter().find_map(|name| named(&format!("{name}^{{}}")).or_else(|| named(name))).filter(is_id).map(str::to_owned)
}

struct Git<'a> {
    repository: &'a Repository,
}

impl<'a> Git<'a> {
    fn of(repository: &'a Repository) -> Self {
        Self { repository }
    }

    fn command(&self, folder: Option<&Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        for (name, value) in [
            ("HOME", "/nonexistent"),
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ALLOW_PROTOCOL", "http:https:git:ssh"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
        ] {
            command.env(name, value);
        }
        let mut config: Vec<(String, String)> = CONFIG.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        config.extend(self.token());
        command.env("GIT_CONFIG_COUNT", config.len().to_string());
        for (number, (key, value)) in config.iter().enumerate() {
            // Not as arguments, which everybody on the machine can read.
            command.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        self.open_with_keys(&mut command);
        if let Some(folder) = folder {
            // Nothing of a repository above, and whoever owns it.
            command.current_dir(folder).env("GIT_CEILING_DIRECTORIES", folder.parent().map_or(OsStr::new("/"), Path::as_os_str));
        }
        command
    }

    /// The token, for this server alone.
    fn token(&self) -> Option<(String, String)> {
        let token = self.repository.token.as_ref()?;
        let (scheme, rest) = self.repository.url.split_once("://")?;
        let place = rest.split('/').next()?;
        let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let pair = [b"x-access-token:".as_slice(), token.0.trim_ascii()].concat();
        let value = format!("Authorization: Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair));
        Some((format!("http.{}://{place}/.extraHeader", scheme.to_ascii_lowercase()), value))
    }

    /// The keys of the agent that was given, and no others; the servers that the user knows.
    fn open_with_keys(&self, command: &mut Command) {
        let Some(agent) = &self.repository.agent else {
            command.env("GIT_SSH_COMMAND", "false");
            return;
        };
        command.env("SSH_AUTH_SOCK", agent);
        command
            .env("GIT_SSH_COMMAND", "ssh -F none -o BatchMode=yes -o IdentityFile=none -o StrictHostKeyChecking=yes -o ConnectTimeout=20");
    }

    /// What a git command says on standard output.
    fn run(&self, folder: Option<&Path>, arguments: &[&str]) -> Result<String, Unavailable> {
        let url = &self.repository.url;
        let mut ours = interrupt::spawn(&mut self.command(folder, arguments), Kind::Group).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unavailable {
                message: format!("the repository `{url}` is fetched with the program `git`, which is not here"),
                hint: "install git, or ADD an archive of the repository by its address".to_owned(),
                is_unreachable: false,
            },
            _ => no(format!("cannot start git: {error}")),
        })?;
        let streams = (ours.child.stdout.take(), ours.child.stderr.take());
        let (said, message) = std::thread::scope(|scope| {
            let message = scope.spawn(move || read(streams.1, MAX_MESSAGE));
            (read(streams.0, MAX_LIST), message.join().unwrap_or_default())
        });
        let status = ours.child.wait().map_err(|error| no(format!("git was lost: {error}")))?;
        if status.success() {
            return Ok(said);
        }
        Err(failed(url, arguments.first().copied().unwrap_or_default(), &message))
    }
}

/// Reads to the end, and keeps the beginning.
fn read(stream: Option<impl Read>, most: u64) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let _ = stream.by_ref().take(most).read_to_end(&mut kept);
    let _ = io::copy(&mut stream, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

fn failed(url: &str, what: &str, message: &str) -> Unavailable {
    let lines = message.lines().map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: ").trim());
    let told: Vec<&str> = lines.filter(|line| !line.is_empty()).take(3).collect();
    let told = told.join("; ");
    let any = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let hint = if any(&["could not read Username", "Authentication failed"]) {
        "pass a token as the secret GIT_AUTH_TOKEN (`--secret id=GIT_AUTH_TOKEN,env=NAME`)"
    } else if any(&["Host key verification failed"]) {
        "connect to the server once with ssh, so that its key is known"
    } else if any(&["Permission denied"]) {
        "the keys of `--ssh` do not open it"
    } else if any(&["transport '"]) {
        "repositories and their submodules are fetched by https, http, ssh and git"
    } else {
        ""
    };
    let is_unreachable =
        any(&["Could not resolve", "unable to connect", "Failed to connect", "Connection refused", "timed out", "unable to look up"]);
    Unavailable { message: format!("git {what} of `{url}` failed: {told}"), hint: hint.to_owned(), is_unreachable }
}

/// Modes as git knows them, whatever the umask; without `.git`, which no commit can have as a file of its own.
fn settle(root: &Path, keep_git_dir: bool) -> io::Result<()> {
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if entry.file_name() == ".git" {
                match (keep_git_dir, kind.is_dir()) {
                    (true, _) => forget(&path)?,
                    (false, true) => fs::remove_dir_all(&path)?,
                    (false, false) => fs::remove_file(&path)?,
                }
            } else if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let runs = entry.metadata()?.permissions().mode() & 0o111 != 0;
                fs::set_permissions(&path, Permissions::from_mode(if runs { 0o755 } else { 0o644 }))?;
            }
        }
    }
    Ok(())
}

/// What only says when and how it was fetched.
fn forget(git: &Path) -> io::Result<()> {
    for name in ["FETCH_HEAD", "ORIG_HEAD"] {
        match fs::remove_file(git.join(name)) {
            Err(error) if ![io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn no(message: String) -> Unavailable {
    Unavailable { message, hint: String::new(), is_unreachable: false }
}

fn own(folder: &Path, error: &io::Error) -> Unavailable {
    no(format!("cannot prepare `{}`: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_what_git_takes_it_for() {
        let (one, two, three) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
        let listed = format!(
            "{one}\trefs/heads/v1\n{two}\trefs/tags/v1\n{three}\trefs/tags/v1^{{}}\n{one}\trefs/heads/x/main\n{two}\trefs/heads/main\n"
        );
        assert_eq!(chosen(&listed, "v1"), Some(three));
        assert_eq!(chosen(&listed, "refs/heads/v1"), Some(one.clone()));
        assert_eq!(chosen(&listed, "main"), Some(two));
        assert_eq!(chosen(&listed, "mai"), None);
        assert_eq!(chosen(&format!("{one}\tHEAD\n"), "HEAD"), Some(one));
        assert_eq!(chosen("--upload-pack=x\tHEAD\n", "HEAD"), None);
    }

    #[test]
    fn a_token_is_for_its_server_alone_and_no_argument() {
        let repository = Repository {
            url: "HTTPS://me@example.com:8443/x.git".into(),
            reference: String::new(),
            token: Some(builder::Hidden(b"s3cret\n".to_vec())),
            agent: None,
        };
        let git = Git::of(&repository);
        let (key, value) = git.token().expect("token");
        assert_eq!(key, "http.https://example.com:8443/.extraHeader");
        assert_eq!(value, "Authorization: Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0");
        let command = git.command(None, &["ls-remote"]);
        assert!(command.get_args().all(|argument| argument == "ls-remote"));
        assert!(command.get_envs().any(|(name, value)| name == "GIT_SSH_COMMAND" && value == Some(OsStr::new("false"))));
    }
}
