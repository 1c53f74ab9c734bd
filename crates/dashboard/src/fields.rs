//! Fields of queries and forms (the URL standard's `application/x-www-form-urlencoded`).

use crate::route::encode;
use percent_encoding::percent_decode_str;

/// Fields in their order. Only the first of a name counts, and an empty one counts as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

/// Fields that are read; further ones are not ours.
const MOST: usize = 32;

impl Fields {
    /// Reads them; what is no UTF-8 is replaced.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').take(MOST).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a field that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// `PATH?NAME=VALUE&..` with the fields that have a value.
pub(crate) fn link(path: &str, fields: &[(&str, Option<&str>)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?))))
        .filter(|pair| !pair.ends_with('='))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read() {
        let fields = Fields::parse("branch=a%2Fb+c&n=7&empty=&n=8&bad=%ff&=x");
        assert_eq!((fields.get("branch"), fields.number("n"), fields.get("empty")), (Some("a/b c"), Some(7), None));
        assert_eq!((fields.get("bad"), fields.get("none")), (Some("\u{fffd}"), None));
        assert_eq!(link("/", &[("a", Some("b c")), ("d", None), ("e", Some(""))]), "/?a=b%20c");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in "\\PC{1,30}", noise in "\\PC{0,60}") {
            let written = link("/", &[("a", Some(&value))]);
            let fields = Fields::parse(written.strip_prefix("/?").unwrap_or_default());
            prop_assert_eq!(fields.get("a"), Some(value.as_str()));
            let _ = Fields::parse(&noise).number("n");
        }
    }
}
