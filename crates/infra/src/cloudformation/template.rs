//! Templates: read with their places, and checked as far as that can be done without the cloud.
//!
//! Facts from the CloudFormation User Guide: "Template sections", "Intrinsic function reference", "CloudFormation quotas".

mod check;
mod node;
mod references;

pub use node::{Node, Value};

use base::{Finding, Place, Severity};

/// A template that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Its path, as messages show it.
    pub path: String,
    /// All of it; nothing where it is none.
    pub root: Node,
}

/// The largest text that a call can carry; larger ones would have to lie in a bucket.
pub const LARGEST: usize = 51_200;

/// Reads a template in YAML or JSON.
///
/// # Errors
/// All that is wrong with its form.
pub fn parse(path: &str, text: &str) -> Result<Template, Vec<Finding>> {
    let root = node::parse(text)
        .map_err(|(line, column, message)| vec![Finding::new(rule::FORM, Severity::Error, Place::in_file(path, line, column), message)])?;
    Ok(Template { path: path.to_owned(), root })
}

/// Rule codes of findings about templates.
pub mod rule {
    /// The text cannot be read.
    pub const FORM: &str = "template-form";
    /// Something stands where it cannot, or is missing.
    pub const SHAPE: &str = "template-shape";
    /// Something is named that is not there.
    pub const REFERENCE: &str = "template-reference";
    /// A parameter's value.
    pub const PARAMETER: &str = "template-parameter";
    /// What the service itself says.
    pub const SERVICE: &str = "template-refused";
}

impl Template {
    /// One that is only named: a plan of it is carried out whatever it says by now.
    pub(crate) fn unread(path: &str) -> Self {
        Self { path: path.to_owned(), root: Node { line: 1, column: 1, value: Value::Map(Vec::new()) } }
    }

    /// The sections that a template must or can have are maps of these.
    pub(crate) fn section(&self, name: &str) -> &[(Node, Node)] {
        self.root.get(name).map(Node::entries).unwrap_or_default()
    }

    /// The type of a resource.
    pub fn kind_of(&self, id: &str) -> Option<&str> {
        let (_, resource) = self.section("Resources").iter().find(|(key, _)| key.text() == Some(id))?;
        resource.get("Type").and_then(Node::text)
    }

    /// Names and types of all resources, in order.
    pub fn resources(&self) -> Vec<(&str, &str)> {
        self.section("Resources").iter().filter_map(|(key, resource)| Some((key.text()?, resource.get("Type")?.text()?))).collect()
    }

    /// Names of its outputs.
    pub fn outputs(&self) -> Vec<&str> {
        self.section("Outputs").iter().filter_map(|(key, _)| key.text()).collect()
    }

    /// Whether a macro makes something else of it: then only the service knows what it says.
    pub(crate) fn is_expanded(&self) -> bool {
        self.root.get("Transform").is_some() || self.root.has("Fn::Transform")
    }

    /// What the service wants acknowledged: that it makes rights, or may (a macro's roles are not in the text), and that it is not yet all
    /// that will be made.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let kinds: Vec<&str> = self.resources().into_iter().map(|(_, kind)| kind).collect();
        let nested = kinds.contains(&"AWS::CloudFormation::Stack");
        let mut all = Vec::new();
        let expanded = self.is_expanded();
        if nested || expanded || kinds.iter().any(|kind| kind.starts_with("AWS::IAM::")) {
            all.push("CAPABILITY_NAMED_IAM");
        }
        if nested || expanded {
            all.push("CAPABILITY_AUTO_EXPAND");
        }
        all
    }

    pub(crate) fn wrong(&self, rule: &str, node: &Node, message: impl Into<String>) -> Finding {
        Finding::new(rule, Severity::Error, Place::in_file(&self.path, node.line, node.column), message)
    }
}
