//! Kubernetes's own conformance suite against the engine.

use super::Long;
use std::process::Command;

pub(super) const TEST: Long = Long {
    name: "conformance",
    usage: "FOLDER KUBECONFIG [OPTION..]",
    about: "Kubernetes's conformance suite, built once into FOLDER by the workbench's kubernetes/build.sh FOLDER --conformance, against\n\
        the server of KUBECONFIG (`wharf engine kubeconfig`); its images must have been loaded (FOLDER/images/conformance.tar).\n\
        OPTION as kubernetes/conformance.sh takes them, such as --focus",
    run,
};

fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.len() < 2 {
        return Err(format!("usage: cargo xtask long {} {}", TEST.name, TEST.usage));
    }
    super::call(Command::new(super::shared("kubernetes/conformance.sh")?).args(arguments))
}
