//! The fuzz targets, for long.

use super::Long;

pub(super) const TEST: Long = Long {
    name: "fuzz",
    usage: "[SECONDS] [TARGET..]",
    about: "every fuzz target for an hour, or SECONDS; inputs that were found are kept for the next time",
    run,
};

fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.first().is_some_and(|first| first.parse::<u32>().is_ok()) {
        return (crate::fuzz::COMMAND.run)(arguments);
    }
    let with_time: Vec<String> = std::iter::once("3600".to_owned()).chain(arguments.iter().cloned()).collect();
    (crate::fuzz::COMMAND.run)(&with_time)
}
