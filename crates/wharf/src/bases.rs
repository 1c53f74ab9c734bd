//! Base advice: what is known against the image that a Dockerfile builds on, beside others of the store.

use crate::commands::image;
use crate::context::Context;
use crate::scan::inventory_of_image;
use base::{Finding, Place, Problem, ProblemKind, Severity};
use blobs::Store;
use oci::Reference;
use scanner::advice::{Advice, Base, BaseLine, Count, advise, base_line, with_base};
use scanner::advisories::index::Index;
use scanner::matching::{Options, Report, scan};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;

/// What is known of a Dockerfile's base, and which others are better.
#[derive(Clone, Debug, Serialize)]
pub struct Advised {
    /// The Dockerfile, as it was named.
    pub dockerfile: String,
    /// Where it names its base.
    #[serde(flatten)]
    pub line: BaseLine,
    /// How many vulnerabilities the base has.
    pub has: Count,
    /// The better ones, best first.
    pub better: Vec<Advice>,
    /// Whether enough is known of it to say which is better.
    pub is_known: bool,
}

impl Advised {
    /// As findings are told.
    pub fn finding(&self) -> Option<Finding> {
        let best = self.better.first()?;
        let message = format!(
            "the base `{}` has {}, and `{}` has {}: {} fewer of these{}",
            self.line.image,
            self.has.words(),
            best.base,
            best.has.words(),
            best.removes,
            if best.adds == 0 { String::new() } else { format!(", {} others", best.adds) }
        );
        let place = Place { file: Some(self.dockerfile.clone()), line: Some(self.line.line), ..Place::default() };
        let mut finding = Finding::new("base", Severity::Info, place, message)
            .with_help(format!("write `{}` there, or let `wharf scan --fix` write it", best.base));
        for other in self.better.iter().skip(1) {
            finding = finding.with_evidence(format!("`{}` has {}", other.base, other.has.words()));
        }
        Some(finding)
    }
}

/// Looks at the base of a Dockerfile. None where it has no plain base, or that base is not in the store.
///
/// # Errors
/// When an image or the index cannot be read.
pub fn look(
    context: &Context,
    index: &Index,
    (dockerfile, text, target): (&str, &str, Option<&str>),
    named: &[String],
) -> Result<Option<Advised>, Problem> {
    let Some(line) = base_line(text, target) else { return Ok(None) };
    let store = image::open(context)?;
    let Some(own) = report(&store, index, &line.image)? else { return Ok(None) };
    let mut others = Vec::new();
    for name in known(&store, &line.image, named)? {
        others.extend(report(&store, index, &name)?.map(|report| (name, report)));
    }
    let others: Vec<Base<'_>> = others.iter().map(|(name, report)| Base { name, report }).collect();
    let used = Base { name: &line.image, report: &own };
    let (better, is_known) = (advise(used, &others), used.is_known());
    Ok(Some(Advised { dockerfile: dockerfile.to_owned(), has: Count::of(&own), line, better, is_known }))
}

/// Writes the best base into the Dockerfile; its name where there was a better one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn fix(path: &Path, advised: &Advised) -> Result<Option<String>, Problem> {
    let Some(best) = advised.better.first() else { return Ok(None) };
    let host = |why: String| Problem::new(ProblemKind::Host, why);
    let bytes = base::files::read(path).map_err(|error| host(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| host(format!("`{}` is not UTF-8", path.display())))?;
    let changed = with_base(&text, &advised.line, &best.base).ok_or_else(|| host(format!("`{}` has changed meanwhile", path.display())))?;
    let mode = std::fs::metadata(path).map_or(0o644, |found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777);
    base::files::write_atomically(path, changed.as_bytes(), mode).map_err(|error| host(error.to_string()))?;
    Ok(Some(best.base.clone()))
}

fn report(store: &Store, index: &Index, name: &str) -> Result<Option<Report>, Problem> {
    let Ok(found) = store.images().resolve(name) else { return Ok(None) };
    let inventory = inventory_of_image(store, &found, name)?;
    let now = index.head().created;
    scan(&inventory, index, &Options::default(), now).map(Some).map_err(crate::advisories::problem)
}

/// Those that settings name, and those of the same repository that are here.
fn known(store: &Store, used: &str, named: &[String]) -> Result<BTreeSet<String>, Problem> {
    let mut names: BTreeSet<String> = named.iter().cloned().collect();
    let Ok(used) = used.parse::<Reference>() else { return Ok(names) };
    let here = store.images().names().map_err(image::problem)?;
    let same = here.keys().filter(|name| name.registry == used.registry && name.repository == used.repository && name.digest.is_none());
    names.extend(same.map(Reference::familiar));
    Ok(names)
}
