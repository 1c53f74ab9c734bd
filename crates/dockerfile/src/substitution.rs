//! The modifiers of `${name...}` that choose or cut: `-` `+` `?` `#` `%`, the first three with `:` too.

use crate::lexer::ExpandError;
use crate::pattern::Pattern;

/// What stands between a variable's name and the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    /// The word when the variable is not set.
    Default { or_empty: bool },
    /// The word when it is set.
    Alternative { or_empty: bool },
    /// An error with the word when it is not set.
    Require { or_empty: bool },
    /// Without what the pattern matches at the start.
    CutStart,
    /// Without what the pattern matches at the end.
    CutEnd,
}

impl Modifier {
    pub(crate) fn parse(written: &str) -> Option<Self> {
        let or_empty = written.starts_with(':');
        Some(match written.trim_start_matches(':') {
            "-" => Self::Default { or_empty },
            "+" => Self::Alternative { or_empty },
            "?" => Self::Require { or_empty },
            "#" if !or_empty => Self::CutStart,
            "%" if !or_empty => Self::CutEnd,
            _ => return None,
        })
    }

    /// Whether the word is a pattern, in which backslashes mean something.
    pub(crate) const fn is_pattern(self) -> bool {
        matches!(self, Self::CutStart | Self::CutEnd)
    }

    pub(crate) fn apply(self, name: &str, value: Option<String>, word: String) -> Result<String, ExpandError> {
        match self {
            Self::Default { or_empty } => Ok(value.filter(|value| !or_empty || !value.is_empty()).unwrap_or(word)),
            Self::Alternative { or_empty } => {
                let chosen = value.is_some_and(|value| !or_empty || !value.is_empty());
                Ok(if chosen { word } else { String::new() })
            }
            Self::Require { or_empty } => {
                let why = if value.is_none() { "is not allowed to be unset" } else { "is not allowed to be empty" };
                let message = if word.is_empty() { why.to_owned() } else { word };
                let value = value.filter(|value| !or_empty || !value.is_empty());
                value.ok_or_else(|| ExpandError::Required { name: name.to_owned(), message })
            }
            Self::CutStart => {
                let (pattern, longest) = word.strip_prefix('#').map_or((word.as_str(), false), |rest| (rest, true));
                Pattern::parse(pattern)?.cut_start(&value.unwrap_or_default(), longest)
            }
            Self::CutEnd => {
                let (pattern, longest) = word.strip_prefix('%').map_or((word.as_str(), false), |rest| (rest, true));
                Pattern::parse(pattern)?.cut_end(&value.unwrap_or_default(), longest)
            }
        }
    }
}
