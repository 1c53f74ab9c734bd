//! What was told to a page already, and what is told next.

use crate::view::Region;
use crate::view::log::Lines;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// One event.
#[derive(Default, Serialize)]
pub(crate) struct Message {
    /// Elements that are not as they were: id and HTML.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) regions: Vec<(String, String)>,
    /// The ids of the rows there are, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) order: Option<Vec<String>>,
    /// What is said aloud.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) say: String,
    /// Lines of the log that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<Lines>,
    /// What the browser says when it comes again: where it is.
    #[serde(skip)]
    pub(super) id: Option<String>,
}

impl Message {
    /// As an event stream has it (HTML standard 9.2). JSON has no line breaks of its own.
    pub(super) fn encode(&self) -> String {
        let data = serde_json::to_string(self).unwrap_or_default();
        let id = self.id.as_ref().map(|id| format!("id: {id}\n")).unwrap_or_default();
        format!("{id}data: {data}\n\n")
    }
}

/// What a page shows, by the hash of each of its parts.
#[derive(Default)]
pub(super) struct Told(HashMap<String, [u8; 32]>);

impl Told {
    /// The parts that are not as they were told.
    pub(super) fn changed(&mut self, regions: Vec<Region>) -> Vec<(String, String)> {
        let mut now = HashMap::with_capacity(regions.len());
        let mut changed = Vec::new();
        for (id, markup) in regions {
            let html = markup.into_string();
            let hash: [u8; 32] = Sha256::digest(html.as_bytes()).into();
            now.insert(id.clone(), hash);
            if self.0.get(&id) != Some(&hash) {
                changed.push((id, html));
            }
        }
        self.0 = now;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn only_what_changed_is_told() {
        let mut told = Told::default();
        let regions = |text: &str| vec![("a".to_owned(), html! { (text) }), ("b".to_owned(), html! { "same" })];
        assert_eq!(told.changed(regions("1")).len(), 2);
        assert_eq!(told.changed(regions("1")), []);
        assert_eq!(told.changed(regions("<2>\n")), [("a".to_owned(), "&lt;2&gt;\n".to_owned())]);
        // What was gone in between is told again.
        assert_eq!(told.changed(Vec::new()), []);
        assert_eq!(told.changed(regions("1")).len(), 2);
    }

    #[test]
    fn an_event_is_one_line() {
        let message = Message { regions: vec![("a".into(), "<p>\n\r</p>".into())], id: Some("x/7".into()), ..Message::default() };
        let text = message.encode();
        assert_eq!(text, "id: x/7\ndata: {\"regions\":[[\"a\",\"<p>\\n\\r</p>\"]]}\n\n");
    }
}
