//! The files `~/.aws/credentials` and `~/.aws/config`: sections of `name = value`.
//!
//! Facts from the AWS SDKs and Tools Reference Guide, "Shared config and credentials files": in `config` a profile's section is
//! `[profile NAME]`, but `[default]`; in `credentials` it is `[NAME]`. Lines that begin with blanks belong to the value before.

use std::collections::BTreeMap;

/// One profile: its settings by name, in lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    values: BTreeMap<String, String>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be secrets.
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// A longer file is none of this kind.
const LONGEST: usize = 1 << 20;

impl Profile {
    /// A setting that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Adds what another file says of the same profile; what is known already wins.
    pub fn complete(&mut self, other: Self) {
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
    }
}

/// The profiles of a file, by name. Sections of other kinds (`sso-session`, `services`) have their whole heading as name.
///
/// # Errors
/// The number of the first line (from 1) that is neither heading nor setting, and what was expected.
pub fn parse(text: &str) -> Result<BTreeMap<String, Profile>, (usize, &'static str)> {
    if text.len() > LONGEST {
        return Err((1, "a file of at most 1 MiB"));
    }
    let mut all: BTreeMap<String, Profile> = BTreeMap::new();
    let mut section: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(heading) = bare.strip_prefix('[') {
            let heading = heading.split(']').next().filter(|_| heading.contains(']')).ok_or((index + 1, "`]` after the heading"))?;
            let mut words = heading.split_whitespace();
            let name = match (words.next(), words.next(), words.next()) {
                (Some("profile"), Some(name), None) => name.to_owned(),
                _ => heading.trim().to_owned(),
            };
            all.entry(name.clone()).or_default();
            section = Some(name);
        } else if line.starts_with([' ', '\t']) {
            // Settings of a setting, such as those below `s3 =`: nothing that is asked for here.
        } else {
            let (name, value) = bare.split_once('=').ok_or((index + 1, "`name = value`"))?;
            let section = section.as_ref().ok_or((index + 1, "a heading such as `[default]` before the first setting"))?;
            // A comment after a value begins with a blank before it.
            let value = value.split(" #").next().unwrap_or(value).split(" ;").next().unwrap_or(value);
            all.entry(section.clone()).or_default().values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_files() {
        let credentials = "[default]\naws_access_key_id = AKIA\naws_secret_access_key=a=b+/\n# no\n[ci]\nAWS_ACCESS_KEY_ID=X\n";
        let config = "[default]\nregion = eu-central-1 # Frankfurt\ns3 =\n  addressing_style = path\n[profile ci]\nrole_arn = arn:aws:iam::1:role/r\n[sso-session one]\nsso_region = x\n";
        let mut all = parse(credentials).expect("credentials");
        let other = parse(config).expect("config");
        assert_eq!(all["default"].get("aws_secret_access_key"), Some("a=b+/"));
        assert_eq!(other["default"].get("region"), Some("eu-central-1"));
        assert_eq!(other["default"].get("addressing_style"), None);
        let ci = all.get_mut("ci").expect("ci");
        ci.complete(other["ci"].clone());
        assert_eq!((ci.get("aws_access_key_id"), ci.get("role_arn")), (Some("X"), Some("arn:aws:iam::1:role/r")));
        assert!(other.contains_key("sso-session one"));
        assert!(!format!("{all:?}").contains("a=b"));
    }

    #[test]
    fn tells_the_line_that_is_wrong() {
        for (text, line) in [("x = 1", 1), ("[a]\nb", 2), ("[a", 1)] {
            assert_eq!(parse(text).map_err(|error| error.0), Err(line), "{text}");
        }
    }
}
