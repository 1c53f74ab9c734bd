//! What a field may hold: the vocabulary of the table of fields.

/// A field of a section.
pub(crate) struct Field {
    /// Its name in YAML.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) help: &'static str,
    /// What it may hold.
    pub(crate) shape: fn() -> Shape,
    /// Its default as YAML would write it.
    pub(crate) default: Option<&'static str>,
    /// Whether it must be written.
    pub(crate) required: bool,
}

/// What a field may hold.
pub(crate) enum Shape {
    /// A text; numbers and `true` count as written.
    Text,
    /// `true` or `false`.
    Switch,
    /// A whole number from 0 on.
    Number,
    /// A duration such as `30s`.
    Duration,
    /// A percentage such as `20%`.
    Percent,
    /// A size such as `10GiB`.
    Bytes,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A line for the shell, or a list of program and arguments.
    Command,
    /// A list.
    List(Box<Shape>),
    /// Names of the user's own, each with a value.
    Map(Box<Shape>),
    /// These fields.
    Section(&'static [Field]),
}

impl Shape {
    /// What is expected, for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::Number => "a whole number".to_owned(),
            Self::Duration => "a duration such as `30s`".to_owned(),
            Self::Percent => "a percentage such as `20%`".to_owned(),
            Self::Bytes => "a size such as `10GiB`".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
            Self::Command => "a command, or a list of program and arguments".to_owned(),
            Self::List(of) => format!("a list, each of it {}", of.name()),
            Self::Map(_) => "a map of names".to_owned(),
            Self::Section(fields) => {
                format!("a map with {}", fields.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", "))
            }
        }
    }
}
