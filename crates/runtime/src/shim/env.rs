//! A program's environment and where it is found.

use crate::spec::RuntimeError;
use std::ffi::CString;
use std::io;

/// The search path where the image names none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is known of a process's surroundings.
pub struct Surroundings<'a> {
    /// Home folder.
    pub home: &'a str,
    /// Host name.
    pub hostname: &'a str,
    /// Has a terminal.
    pub terminal: bool,
}

/// The environment: later values win, and what every program expects is added where missing.
pub fn complete(lists: &[&[String]], around: &Surroundings<'_>) -> Vec<String> {
    let mut env: Vec<String> = Vec::new();
    let name = |entry: &str| entry.split_once('=').map_or(entry, |(name, _)| name).to_owned();
    for entry in lists.iter().flat_map(|list| list.iter()) {
        let key = name(entry);
        env.retain(|kept| name(kept) != key);
        env.push(entry.clone());
    }
    let terminal = if around.terminal { "xterm" } else { "" };
    for (key, value) in [("PATH", PATH), ("HOME", around.home), ("HOSTNAME", around.hostname), ("TERM", terminal)] {
        if !value.is_empty() && !env.iter().any(|entry| name(entry) == key) {
            env.push(format!("{key}={value}"));
        }
    }
    env
}

/// Becomes the program; comes back only with the reason why not.
pub fn exec(args: &[String], env: &[String]) -> RuntimeError {
    let Some(program) = args.first().filter(|program| !program.is_empty()) else {
        return RuntimeError::Config("no command is given, and the image names none".to_owned());
    };
    let strings = |list: &[String]| list.iter().map(|text| CString::new(text.as_str())).collect::<Result<Vec<_>, _>>();
    let (Ok(arguments), Ok(environment)) = (strings(args), strings(env)) else {
        return RuntimeError::Config("an argument or a variable holds a zero byte".to_owned());
    };
    let search = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(PATH);
    let candidates: Vec<String> = if program.contains('/') {
        vec![program.clone()]
    } else {
        search.split(':').map(|folder| format!("{}/{program}", if folder.is_empty() { "." } else { folder })).collect()
    };
    let mut worst = io::Error::from_raw_os_error(rustix::io::Errno::NOENT.raw_os_error());
    for path in candidates {
        let Ok(path) = CString::new(path) else { continue };
        let error = sys::task::exec(&path, &arguments, &environment);
        // Like a shell: what was found and may not be run is told rather than what was not found elsewhere.
        if !matches!(
            error.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
            Some(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR)
        ) {
            worst = error;
        }
    }
    explain(program, &worst)
}

fn explain(program: &str, error: &io::Error) -> RuntimeError {
    let (reason, code) = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOENT) if program.contains('/') => {
            ("no such file in the image, or its interpreter is missing".to_owned(), 127)
        }
        Some(rustix::io::Errno::NOENT) => ("not found in $PATH".to_owned(), 127),
        Some(rustix::io::Errno::ACCESS) => ("permission denied".to_owned(), 126),
        Some(rustix::io::Errno::NOEXEC) => ("neither a program for this machine nor a script with #!".to_owned(), 126),
        _ => (error.to_string(), 126),
    };
    RuntimeError::Start { program: program.to_owned(), reason, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_and_overrides() {
        let image = ["A=1".to_owned(), "B=2".to_owned()];
        let own = ["A=3".to_owned(), "HOME=/x".to_owned()];
        let env = complete(&[&image, &own], &Surroundings { home: "/root", hostname: "pod", terminal: false });
        assert_eq!(env, ["B=2", "A=3", "HOME=/x", &format!("PATH={PATH}"), "HOSTNAME=pod"]);
    }
}
