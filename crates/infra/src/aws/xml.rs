//! Answers in XML as a tree, within bounds: no document types, no entities of one's own, no attributes.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element: its name without prefix, its text, and the elements in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// All text directly in it; blanks around it are kept only where it holds no elements.
    pub text: String,
    /// The elements in it, in order.
    pub children: Vec<Node>,
}

/// Longer answers, in bytes, are refused.
pub const LONGEST: usize = 8 << 20;
const DEEPEST: usize = 32;
const MOST: usize = 200_000;

impl Node {
    /// The first element of a name in it.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element that a path of names leads to.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }

    /// The text of an element in it; empty where there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    /// The same, nothing where it is empty.
    pub fn some_text(&self, name: &str) -> Option<String> {
        Some(self.text_of(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The elements `member` of a list in it, as the query protocol writes lists.
    pub fn members(&self, list: &str) -> impl Iterator<Item = &Self> {
        self.child(list).into_iter().flat_map(|list| list.children.iter().filter(|child| child.name == "member"))
    }
}

/// Reads a document.
///
/// # Errors
/// A fragment that says why it is none, or what is beyond the bounds.
pub fn parse(bytes: &[u8]) -> Result<Node, String> {
    if bytes.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let (mut open, mut root, mut count) = (Vec::<Node>::new(), None, 0usize);
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) {
            count += 1;
            if count > MOST || open.len() >= DEEPEST {
                return Err(format!("it has more than {MOST} elements, or more than {DEEPEST} within one another"));
            }
            if root.is_some() {
                return Err("a second element stands beside the first".to_owned());
            }
        }
        match event {
            Event::Start(start) => open.push(Node { name: start.local_name().as_ref().to_owned(), ..Node::default() }),
            Event::Empty(empty) => {
                let node = Node { name: empty.local_name().as_ref().to_owned(), ..Node::default() };
                close(node, &mut open, &mut root);
            }
            Event::End(_) => {
                let node = open.pop().ok_or_else(|| "an element ends that did not begin".to_owned())?;
                close(node, &mut open, &mut root);
            }
            Event::Text(text) => add(&mut open, &text.xml10_content())?,
            Event::CData(text) => add(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|error| error.to_string())?;
                let character = character.or_else(|| predefined(&reference.into_inner()));
                let character = character.ok_or_else(|| "it names an entity of its own".to_owned())?;
                add(&mut open, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()).ok_or_else(|| "it ends too early".to_owned()),
        }
    }
}

fn close(mut node: Node, open: &mut [Node], root: &mut Option<Node>) {
    if !node.children.is_empty() {
        node.text = node.text.trim().to_owned();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None => *root = Some(node),
    }
}

fn add(open: &mut [Node], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(node) => node.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("text stands beside the first element".to_owned()),
    }
    Ok(())
}

/// The five entities that XML has by itself (XML 1.0 section 4.6).
fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_services_answer() {
        let text = br#"<?xml version="1.0"?><R xmlns="http://x/"><S><member><Id>a&amp;b &#60;c</Id></member><member/></S><E/></R>"#;
        let root = parse(text).expect("xml");
        assert_eq!(root.name, "R");
        let ids: Vec<_> = root.members("S").map(|member| member.text_of("Id")).collect();
        assert_eq!(ids, ["a&b <c", ""]);
        assert_eq!(root.some_text("E"), None);
    }

    #[test]
    fn refuses_what_is_beyond_the_bounds() {
        let deep = format!("{}{}", "<a>".repeat(1000), "</a>".repeat(1000));
        for text in
            ["", "<a>", "<a></b>", "<a/><b/>", "x<a/>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a>&x;</a>", "<a>&#0;</a>", &deep]
        {
            assert!(parse(text.as_bytes()).is_err(), "{}", text.get(..40).unwrap_or(text));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[<>/a&;#!\\[\\]\" x]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
