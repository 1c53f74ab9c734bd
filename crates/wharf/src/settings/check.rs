//! What the table of fields cannot say: names, targets, and what refers to what.

mod infra;
mod notify;
mod scan;

pub use scan::end_of as end_of_day;

pub(crate) use infra::is_stack;

use super::node::{Node, Origin};
use super::reader::{Reader, rule};

/// Looks at the whole document; the reader takes what is wrong.
pub(crate) fn check(root: &Node, reader: &mut Reader) {
    name(root.get("project"), "project", is_label, "a DNS label: small letters, digits and `-`, 63 at most", reader);
    name(root.get("version"), "version", is_tag, "a tag: letters, digits, `_`, `.` and `-`, 128 at most", reader);
    below(root, "images", reader, |key, image, reader| {
        image_secrets(image, reader);
        if !is_image_name(&key.text) {
            reader.wrong(
                rule::VALUE,
                &key.origin,
                format!("`{}` cannot name an image", key.text),
                "small letters and digits, with `.`, `_` or `-` between",
            );
        }
    });
    below(root, "checks", reader, |key, _, reader| {
        known(&key.text, &key.origin, root.get("images"), "image", reader);
    });
    below(root, "tasks", reader, |_, task, reader| {
        if let (Some(_), Some(image)) = (task.get("exec"), task.get("image")) {
            reader.wrong(rule::VALUE, &image.origin, "a task runs in a workload or in an image, not in both", "keep `exec` or `image`");
        }
    });
    for list in ["smoke", "load", "uptime"] {
        let items = root.get(list).map(Node::items).unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            reader.below(&format!("{list}[{index}]"), |reader| request(root, item, reader));
        }
    }
    below(root, "infra", reader, |key, node, reader| infra::check(root, key, node, reader));
    below(root, "notify", reader, |key, node, reader| notify::check(&key.origin, node, reader));
    scan::check(root, reader);
    below(root, "environments", reader, |_, environment, reader| {
        approvers(environment, reader);
        let registry = environment.get("registry");
        if let Some((node, text)) = registry.and_then(|node| node.as_text().map(|text| (node, text)))
            && (text.contains("://") || text.ends_with('/') || text.is_empty())
        {
            reader.wrong(rule::VALUE, &node.origin, format!("`{text}` is no registry"), "write it like `registry.example.com/team`");
        }
    });
}

/// Who may approve is what the project's file says: it is reviewed, and what one person sets is not.
fn approvers(environment: &Node, reader: &mut Reader) {
    let Some(list) = environment.get("approvers") else { return };
    let is_own = |origin: &&Origin| match origin {
        Origin::File { file, .. } => **file == *super::load::LOCAL_FILE,
        Origin::CommandLine(_) => true,
        Origin::Default | Origin::Inferred => false,
    };
    if let Some(origin) = std::iter::once(list).chain(list.items()).map(|node| &node.origin).find(is_own) {
        let message = format!("`approvers` are set in {} alone", super::load::PROJECT_FILE);
        reader.wrong(rule::VALUE, origin, message, "who deploys cannot choose who approves");
    }
}

fn image_secrets(image: &Node, reader: &mut Reader) {
    for (key, secret) in image.get("secrets").map(Node::entries).unwrap_or_default() {
        let place =
            |reader: &mut Reader, message: String| reader.wrong(rule::VALUE, &key.origin, message, "write `file: PATH` or `env: NAME`");
        match (secret.get("file"), secret.get("env")) {
            (Some(_), Some(_)) => place(reader, format!("the secret `{}` is in a file or in a variable, not in both", key.text)),
            (None, None) => place(reader, format!("it is not said where the secret `{}` is", key.text)),
            _ => {}
        }
    }
}

fn below(root: &Node, field: &str, reader: &mut Reader, look: impl Fn(&super::node::Key, &Node, &mut Reader)) {
    for (key, node) in root.get(field).map(Node::entries).unwrap_or_default() {
        reader.below(&format!("{field}.{}", key.text), |reader| look(key, node, reader));
    }
}

fn name(node: Option<&Node>, field: &str, valid: fn(&str) -> bool, expected: &str, reader: &mut Reader) {
    if let Some((node, text)) = node.and_then(|node| node.as_text().map(|text| (node, text)))
        && !valid(text)
    {
        reader.below(field, |reader| {
            reader.wrong(rule::VALUE, &node.origin, format!("`{text}` cannot be the {field}"), format!("it is {expected}"))
        });
    }
}

fn known(name: &str, origin: &Origin, among: Option<&Node>, what: &str, reader: &mut Reader) {
    let names = || among.map(Node::entries).unwrap_or_default().iter().map(|(key, _)| key.text.as_str());
    if !names().any(|known| known == name) {
        let meant = base::suggest::closest(name, names()).map(|meant| format!("did you mean `{meant}`?"));
        reader.wrong(rule::VALUE, origin, format!("there is no {what} `{name}`"), meant.unwrap_or_default());
    }
}

/// A smoke check, a load or an uptime check.
fn request(root: &Node, item: &Node, reader: &mut Reader) {
    const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
    let written: Vec<&Node> = METHODS.iter().filter_map(|method| item.get(method)).collect();
    match written.as_slice() {
        [one] => target(one, reader),
        [] => reader.wrong(rule::MISSING, &item.origin, "nothing is requested here", "name the target: `get: WORKLOAD/PATH`"),
        [_, second, ..] => reader.wrong(rule::VALUE, &second.origin, "a second request stands here", "make an entry of its own for it"),
    }
    if let Some((node, status)) = item.get("status").and_then(|node| Some((node, node.as_text()?.parse::<u16>().ok()?)))
        && !(100..=599).contains(&status)
    {
        reader.wrong(rule::VALUE, &node.origin, format!("`{status}` is no status of HTTP"), "it lies between 100 and 599");
    }
    if let Some(node) = item.get("concurrency").filter(|node| node.as_text() == Some("0")) {
        reader.wrong(rule::VALUE, &node.origin, "no connection at all makes no load", "");
    }
    for (key, value) in item.get("header").map(Node::entries).unwrap_or_default() {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if key.text.is_empty() || !key.text.chars().all(token) {
            reader.wrong(rule::VALUE, &key.origin, format!("`{}` cannot name a header", key.text), "");
        }
        if value.as_text().is_some_and(|text| text.chars().any(char::is_control)) {
            reader.wrong(rule::VALUE, &value.origin, "a header's value is one line", "");
        }
    }
    for name in item.get("notify").map(Node::items).unwrap_or_default() {
        known(name.as_text().unwrap_or_default(), &name.origin, root.get("notify"), "notify", reader);
    }
}

/// `WORKLOAD/PATH`, or a URL.
fn target(node: &Node, reader: &mut Reader) {
    let Some(text) = node.as_text() else { return };
    let is_url = text.starts_with("http://") || text.starts_with("https://");
    let workload = text.split('/').next().unwrap_or_default();
    if (!is_url && !is_label(workload)) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        reader.wrong(rule::VALUE, &node.origin, format!("`{text}` is no target"), "write `WORKLOAD/PATH`, such as `app/health`, or a URL");
    }
}

/// RFC 1123 section 2.1, as Kubernetes takes it for names.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// A path component of an image's name (OCI distribution specification, "Pulling manifests").
fn is_image_name(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = |c: char| alphanumeric(c) || matches!(c, '.' | '_' | '-');
    (1..=128).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && !text.contains("..")
}

/// A tag (OCI distribution specification).
fn is_tag(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&text.len()) && text.starts_with(first) && text.chars().all(|c| first(c) || matches!(c, '.' | '-'))
}
