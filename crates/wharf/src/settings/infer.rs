//! What a folder shows without a `wharf.yaml`: its name, Dockerfiles, manifests and tests.

use super::check::is_label;
use std::path::Path;

/// Folders that may hold manifests, by custom.
const MANIFESTS: [&str; 4] = ["k8s", "kubernetes", "manifests", "deploy"];
/// A file that tells how the tests are run, and how.
const TESTS: [(&str, &str); 4] =
    [("Cargo.lock", "cargo test --locked"), ("Cargo.toml", "cargo test"), ("go.mod", "go test ./..."), ("package-lock.json", "npm test")];
/// Entries of a folder that are looked at; a folder with more is no project's.
const MOST_ENTRIES: usize = 10_000;

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inferred {
    /// The folder's name, made fit.
    pub project: String,
    /// Name and context of each image.
    pub images: Vec<(String, String)>,
    /// Folders of manifests.
    pub manifests: Vec<String>,
    /// How the tests are run.
    pub test: Option<String>,
}

/// Looks at a folder. A Dockerfile in it is the one image; without one, each folder in it with a Dockerfile is one.
pub fn infer(folder: &Path) -> Inferred {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let project = fit(&name).unwrap_or_else(|| "project".to_owned());
    let images = if folder.join("Dockerfile").is_file() { vec![(project.clone(), ".".to_owned())] } else { images_below(folder) };
    let manifests = MANIFESTS.iter().filter(|name| has_yaml(&folder.join(name))).map(|name| format!("{name}/")).collect();
    let test = TESTS.iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, command)| (*command).to_owned());
    Inferred { project, images, manifests, test }
}

impl Inferred {
    /// The same as a `wharf.yaml`; its tests only where asked for.
    pub fn yaml(&self, with_tests: bool) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!("project: {}\n", quoted(&self.project));
        if !self.images.is_empty() {
            text.push_str("images:\n");
            for (name, context) in &self.images {
                text.push_str(&format!("  {}: {{ context: {} }}\n", quoted(name), quoted(context)));
            }
        }
        if let Some(test) = self.test.as_ref().filter(|_| with_tests) {
            text.push_str(&format!("tests:\n  unit: {}\n", quoted(test)));
        }
        if !self.manifests.is_empty() {
            let list: Vec<String> = self.manifests.iter().map(|folder| quoted(folder)).collect();
            text.push_str(&format!("manifests: [{}]\n", list.join(", ")));
        }
        text
    }
}

fn images_below(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
    let mut images: Vec<(String, String)> = entries
        .filter(|entry| entry.path().join("Dockerfile").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter_map(|name| Some((fit(&name)?, name)))
        .collect();
    images.sort();
    images.dedup_by(|left, right| left.0 == right.0);
    images
}

fn has_yaml(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
    let yaml = |path: std::path::PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    entries.map(|entry| entry.path()).any(yaml)
}

/// The name as a DNS label, if anything of it is left.
fn fit(name: &str) -> Option<String> {
    let lower: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(63).collect();
    let fit = lower.trim_matches('-').to_owned();
    is_label(&fit).then_some(fit)
}
