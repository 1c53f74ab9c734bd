//! One unit, one file, one line in a visible slice, and a page where people meet it.

use super::tree::Tree;
use super::{Check, Violations};

pub(super) const CHECK: Check = Check { about: "every unit stands in its slice, every rule has its page", run };

/// A folder of units and the list that must name each of them.
struct Registry {
    /// Where the units are.
    folder: &'static str,
    /// The file of the list.
    list: &'static str,
    /// Where the list begins; it ends with the next bracket at the start of a line, or with `;`.
    begins: &'static str,
    /// Files that are no units.
    helpers: &'static [&'static str],
    /// Whether each unit has a page (`.md`) beside it.
    pages: bool,
}

const REGISTRIES: [Registry; 13] = [
    Registry {
        folder: "crates/linter/src/rules/",
        list: "crates/linter/src/rules.rs",
        begins: "pub const RULES",
        helpers: &["pip"],
        pages: true,
    },
    Registry {
        folder: "crates/linter/src/formats/",
        list: "crates/linter/src/formats.rs",
        begins: "pub const FORMATS",
        helpers: &[],
        pages: false,
    },
    Registry { folder: "crates/k8s/src/kinds/", list: "crates/k8s/src/kinds.rs", begins: "kinds! {", helpers: &["request"], pages: false },
    Registry {
        folder: "crates/controllers/src/",
        list: "crates/controllers/src/lib.rs",
        begins: "pub const CONTROLLERS",
        helpers: &["lib", "replicas", "testing", "workload", "world"],
        pages: false,
    },
    Registry {
        folder: "crates/apiserver/src/admission/",
        list: "crates/apiserver/src/admission.rs",
        begins: "pub const ADMISSIONS",
        helpers: &[],
        pages: false,
    },
    Registry {
        folder: "crates/wharf/src/commands/",
        list: "crates/wharf/src/commands.rs",
        begins: "pub const COMMANDS",
        helpers: &[],
        pages: false,
    },
    Registry {
        folder: "crates/monitor/src/notifiers/",
        list: "crates/monitor/src/notifiers.rs",
        begins: "pub const NOTIFIERS",
        helpers: &[],
        pages: false,
    },
    Registry {
        folder: "crates/scanner/src/catalogues/",
        list: "crates/scanner/src/catalogues.rs",
        begins: "pub const CATALOGUES",
        helpers: &["python_lock"],
        pages: false,
    },
    Registry {
        folder: "crates/wharf/src/export/",
        list: "crates/wharf/src/export.rs",
        begins: "pub const EXPORTERS",
        helpers: &["pattern", "pipeline"],
        pages: false,
    },
    Registry {
        folder: "crates/dashboard/src/view/details/",
        list: "crates/dashboard/src/view/details.rs",
        begins: "const DETAILS",
        helpers: &[],
        pages: false,
    },
    Registry {
        folder: "crates/infra/src/",
        list: "crates/infra/src/provider.rs",
        begins: "pub const PROVIDERS",
        helpers: &["aws", "eks", "failure", "lib", "plan", "provider", "sts", "tagged"],
        pages: false,
    },
    Registry {
        folder: "crates/scanner/src/reports/",
        list: "crates/scanner/src/reports.rs",
        begins: "pub const FORMATS",
        helpers: &["sboms"],
        pages: false,
    },
    Registry { folder: "xtask/src/tidy/", list: "xtask/src/tidy.rs", begins: "const CHECKS", helpers: &["mask", "tree"], pages: false },
];

fn run(tree: &Tree, found: &mut Violations) {
    for registry in &REGISTRIES {
        let units = tree.rust().filter_map(|file| Some((file, file.path.strip_prefix(registry.folder)?.strip_suffix(".rs")?)));
        let list = tree.get(registry.list).map(|file| slice(&file.code, registry.begins)).unwrap_or_default();
        for (file, unit) in units.filter(|(_, unit)| !unit.contains('/') && !registry.helpers.contains(unit) && *unit != "tests") {
            if !list.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == unit) {
                found.add(&file.path, 1, format!("`{unit}` is missing in the list of {}", registry.list));
            }
            let page = format!("{}{unit}.md", registry.folder);
            if registry.pages && tree.get(&page).is_none_or(|page| page.text.trim().is_empty()) {
                found.add(&file.path, 1, format!("its page {page} is missing"));
            }
        }
    }
}

fn slice<'t>(code: &'t str, begins: &str) -> &'t str {
    let rest = code.find(begins).and_then(|at| code.get(at + begins.len()..)).unwrap_or_default();
    let end = ["\n];", "\n}", "];"].iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}
