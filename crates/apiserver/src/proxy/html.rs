//! Links of a page that comes through the proxy: those to its own host lead through the proxy again.
//!
//! Source: apimachinery `pkg/util/proxy/transport.go`, which names the attributes; HTML's tokenization of tags.

/// What links are rewritten by.
pub(super) struct Links {
    /// The path up to `proxy`.
    pub(super) prefix: String,
    /// The pod's host and port.
    pub(super) there: String,
    /// The host that the client asked.
    pub(super) asked: String,
}

impl Links {
    /// A link as it must be here; nothing when it may stay.
    pub(super) fn rewritten(&self, link: &str) -> Option<String> {
        let (origin, path) = split(link);
        let host = origin.rsplit_once("//").map_or("", |(_, host)| host);
        if !path.starts_with('/') || !host.is_empty() && host != self.there && host != self.asked {
            return None;
        }
        let kept = if host == self.asked { origin } else { "" };
        let made = if path.starts_with(&self.prefix) { format!("{kept}{path}") } else { format!("{kept}{}{path}", self.prefix) };
        (made != link).then_some(made)
    }
}

/// `scheme://host` or `//host`, and the rest.
fn split(link: &str) -> (&str, &str) {
    let begin = match link.find("//") {
        Some(at) if at == 0 || link.get(..at).is_some_and(is_scheme) => at + 2,
        _ => return ("", link),
    };
    let end = link.get(begin..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(link.len(), |at| begin + at);
    link.split_at_checked(end).unwrap_or(("", link))
}

fn is_scheme(text: &str) -> bool {
    text.strip_suffix(':').is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)))
}

const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("applet", &["codebase"]),
    ("area", &["href"]),
    ("audio", &["src"]),
    ("base", &["href"]),
    ("blockquote", &["cite"]),
    ("body", &["background"]),
    ("button", &["formaction"]),
    ("command", &["icon"]),
    ("del", &["cite"]),
    ("embed", &["src"]),
    ("form", &["action"]),
    ("frame", &["longdesc", "src"]),
    ("head", &["profile"]),
    ("html", &["manifest"]),
    ("iframe", &["longdesc", "src"]),
    ("img", &["longdesc", "src", "usemap"]),
    ("input", &["src", "usemap", "formaction"]),
    ("ins", &["cite"]),
    ("link", &["href"]),
    ("object", &["classid", "codebase", "data", "usemap"]),
    ("q", &["cite"]),
    ("script", &["src"]),
    ("source", &["src"]),
    ("video", &["poster", "src"]),
];

/// Elements whose content is no markup.
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];

/// The page with its links rewritten; every other byte is as it was.
pub(super) fn rewrite(page: &[u8], links: &Links) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.len() + 256);
    let mut scan = Scan { page, at: 0, copied: 0 };
    while let Some(open) = scan.find(b"<") {
        scan.at = open + 1;
        if scan.starts_with(b"!--") {
            scan.at = scan.find(b"-->").map_or(page.len(), |end| end + 3);
        } else if scan.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            scan.tag(links, &mut out);
        }
    }
    out.extend_from_slice(page.get(scan.copied..).unwrap_or_default());
    out
}

struct Scan<'a> {
    page: &'a [u8],
    at: usize,
    copied: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.page.get(self.at).copied()
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.page.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn find(&self, text: &[u8]) -> Option<usize> {
        let rest = self.page.get(self.at..)?;
        rest.windows(text.len()).position(|window| window == text).map(|at| self.at + at)
    }

    fn skip(&mut self, while_: impl Fn(u8) -> bool) -> (usize, usize) {
        let from = self.at;
        while self.peek().is_some_and(&while_) {
            self.at += 1;
        }
        (from, self.at)
    }

    fn lower(&self, (from, to): (usize, usize)) -> String {
        String::from_utf8_lossy(self.page.get(from..to).unwrap_or_default()).to_ascii_lowercase()
    }

    /// From the tag's name to what follows its `>`.
    fn tag(&mut self, links: &Links, out: &mut Vec<u8>) {
        let name = self.skip(|byte| !byte.is_ascii_whitespace() && byte != b'>' && byte != b'/');
        let name = self.lower(name);
        let attributes = ATTRIBUTES.iter().find(|(tag, _)| *tag == name).map_or(&[][..], |(_, attributes)| *attributes);
        loop {
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b'/');
            match self.peek() {
                None => return,
                Some(b'>') => break,
                Some(_) => self.attribute(attributes, links, out),
            }
        }
        self.at += 1;
        if RAW.contains(&name.as_str()) {
            let end = format!("</{name}");
            let rest = self.page.get(self.at..).unwrap_or_default();
            let length = rest.windows(end.len()).position(|window| window.eq_ignore_ascii_case(end.as_bytes()));
            self.at += length.unwrap_or(rest.len());
        }
    }

    fn attribute(&mut self, wanted: &[&str], links: &Links, out: &mut Vec<u8>) {
        let key = self.skip(|byte| !byte.is_ascii_whitespace() && !b"=>/".contains(&byte));
        if key.0 == key.1 {
            // A stray `=` is the beginning of a name.
            self.at += 1;
            return;
        }
        self.skip(|byte| byte.is_ascii_whitespace());
        if self.peek() != Some(b'=') {
            return;
        }
        self.at += 1;
        self.skip(|byte| byte.is_ascii_whitespace());
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.skip(|byte| byte != quote);
                self.at += 1;
                value
            }
            _ => self.skip(|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        };
        if !wanted.contains(&self.lower(key).as_str()) {
            return;
        }
        let Some(text) = self.page.get(value.0..value.1).and_then(|bytes| std::str::from_utf8(bytes).ok()) else { return };
        if let Some(made) = links.rewritten(text) {
            out.extend_from_slice(self.page.get(self.copied..value.0).unwrap_or_default());
            out.extend_from_slice(made.as_bytes());
            self.copied = value.1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links { prefix: "/api/p/proxy".to_owned(), there: "10.0.0.1:80".to_owned(), asked: "127.0.0.1:6443".to_owned() }
    }

    #[test]
    fn links_to_the_same_host_lead_through_the_proxy() {
        let rewritten = |link: &str| links().rewritten(link);
        assert_eq!(rewritten("/x?a=b").as_deref(), Some("/api/p/proxy/x?a=b"));
        assert_eq!(rewritten("http://10.0.0.1:80/x/").as_deref(), Some("/api/p/proxy/x/"));
        assert_eq!(rewritten("https://127.0.0.1:6443/x").as_deref(), Some("https://127.0.0.1:6443/api/p/proxy/x"));
        for kept in ["", "x/y", "#top", "mailto:a@b", "https://other/x", "//other/x", "/api/p/proxy/x", "?q=//10.0.0.1:80/x"] {
            assert_eq!(rewritten(kept), None, "{kept}");
        }
    }

    #[test]
    fn only_links_are_touched() {
        let rewrite = |page: &str| String::from_utf8(rewrite(page.as_bytes(), &links())).expect("text");
        assert_eq!(rewrite(r#"<a href="/rewriteme">test</a>"#), r#"<a href="/api/p/proxy/rewriteme">test</a>"#);
        assert_eq!(rewrite("<IMG SRC=/a alt='/b'><p title=\"/c\">/d"), "<IMG SRC=/api/p/proxy/a alt='/b'><p title=\"/c\">/d");
        for kept in [
            "<!-- <a href=\"/x\"> -->",
            "<script>var a = '<a href=\"/x\">';</script>",
            "1 < 2 > 1 <",
            "<a href",
            "<a href=",
            "<a href=\"/x",
            "<a =/x>",
            "<>",
        ] {
            let made = rewrite(kept);
            assert_eq!(made.replace("/api/p/proxy", ""), kept);
        }
        assert_eq!(rewrite("<script src='/s'>'<a href=\"/x\">'</script>"), "<script src='/api/p/proxy/s'>'<a href=\"/x\">'</script>");
    }
}
