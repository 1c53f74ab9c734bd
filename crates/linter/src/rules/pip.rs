//! What DL3013 and DL3042 know of pip's command line.

use crate::shell::Command;

/// Flags of `pip install` whose value is a word of its own.
pub(super) const VALUE_FLAGS: [&str; 40] = [
    "-e",
    "--editable",
    "-i",
    "--index-url",
    "--extra-index-url",
    "--trusted-host",
    "-t",
    "--target",
    "-f",
    "--find-links",
    "--prefix",
    "--root",
    "--no-binary",
    "--only-binary",
    "--platform",
    "--python-version",
    "--progress-bar",
    "--proxy",
    "--src",
    "--build",
    "-b",
    "--abi",
    "--implementation",
    "--upgrade-strategy",
    "--python",
    "--root-user-action",
    "--timeout",
    "--default-timeout",
    "--retries",
    "--cache-dir",
    "--log",
    "--cert",
    "--client-cert",
    "--exists-action",
    "--use-feature",
    "--use-deprecated",
    "--report",
    "--config-settings",
    "--install-option",
    "--global-option",
];

/// The arguments behind `install`, when the command is pip in one of its forms and installs.
pub(super) fn install_arguments(command: &Command) -> Option<&[String]> {
    let is_pip = command.name.starts_with("pip") && !command.name.starts_with("pipenv");
    let as_module = command.name.starts_with("python") && command.arguments.windows(2).any(|pair| pair[0] == "-m" && pair[1] == "pip");
    if !is_pip && !as_module {
        return None;
    }
    let install = command.arguments.iter().position(|argument| argument == "install")?;
    command.arguments.get(install + 1..)
}
