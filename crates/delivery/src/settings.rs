//! `${setting}` in manifests.

use std::collections::BTreeMap;

/// The names that manifests may use, and their values.
pub type Settings = BTreeMap<String, String>;

/// A text with its settings put in: `${name}` becomes the value, `$$` a dollar sign; any other dollar sign stays
/// (`$(VAR)` is Kubernetes' own).
///
/// # Errors
/// A sentence that names a setting that is not there, with the nearest one that is.
pub fn substitute(text: &str, settings: &Settings) -> Result<String, String> {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        made += before;
        if let Some(after) = after.strip_prefix("$$") {
            made.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix("${").and_then(|after| after.split_once('}')) {
            made += settings.get(name.trim()).ok_or_else(|| unknown(name.trim(), settings))?;
            rest = after;
        } else if after.starts_with("${") {
            return Err("`${` without its `}`".to_owned());
        } else {
            made.push('$');
            rest = after.get(1..).unwrap_or_default();
        }
    }
    made += rest;
    Ok(made)
}

fn unknown(name: &str, settings: &Settings) -> String {
    let known: Vec<&str> = settings.keys().map(String::as_str).collect();
    match known.as_slice() {
        [] => format!("there is no setting `{name}`; none is set"),
        known => format!("there is no setting `{name}`; there are `{}`", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_values_in() {
        let settings = Settings::from([("replicas".to_owned(), "3".to_owned()), ("host".to_owned(), "a.b".to_owned())]);
        for (text, wanted) in
            [("${replicas}", "3"), ("x-${host}-$${host}", "x-a.b-${host}"), ("$(VAR) $x 5$", "$(VAR) $x 5$"), ("$$$$", "$$"), ("", "")]
        {
            assert_eq!(substitute(text, &settings).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(substitute("${nope}", &settings), Err("there is no setting `nope`; there are `host`, `replicas`".to_owned()));
        assert!(substitute("${open", &settings).is_err());
    }
}
