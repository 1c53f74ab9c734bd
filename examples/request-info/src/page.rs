//! A request's data for people and for programs.

use crate::info::Info;

/// Whether an `Accept` header asks for JSON before HTML.
pub fn prefers_json(accept: &str) -> bool {
    let weight = |wanted: &str| {
        accept
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let quality = |part: &str| part.strip_prefix("q=").and_then(|text| text.parse::<f32>().ok());
                (parts.next()?.eq_ignore_ascii_case(wanted)).then(|| parts.find_map(quality).unwrap_or(1.0))
            })
            .fold(0.0, f32::max)
    };
    let json = weight("application/json");
    json > 0.0 && json > weight("text/html")
}

/// As JSON.
pub fn json(info: &Info) -> String {
    serde_json::to_string(info).unwrap_or_default()
}

/// As a page.
pub fn html(info: &Info) -> String {
    let rows: String = [
        ("Browser", info.browser.clone()),
        ("Referer", info.referer.clone()),
        ("Event", info.event.clone()),
        ("Client address", info.client.map(|client| client.to_string())),
        ("Release", Some(info.release.clone())),
    ]
    .into_iter()
    .map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n", escape(value.as_deref().unwrap_or("\u{2013}"))))
    .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Your request</title>\n<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:44rem;padding:0 1rem}}\
         th{{text-align:left;padding-right:2rem;white-space:nowrap;vertical-align:top}}td{{overflow-wrap:anywhere}}</style>\n\
         <h1>Your request</h1>\n<table>\n{rows}</table>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    #[test]
    fn what_a_client_sends_is_text_and_nothing_else() {
        let request =
            Request::get("/?event=%3Cscript%3Ealert(1)%3C/script%3E").header("user-agent", "\"'<b>&").body(()).expect("a request");
        let page = html(&Info::of(&request, None, "r1"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&quot;&#39;&lt;b&gt;&amp;"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(page.contains("r1"), "{page}");
    }

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        for (accept, wanted) in [
            ("application/json", true),
            ("application/json;q=0.5, text/html", false),
            ("text/html;q=0.2, application/json", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("*/*", false),
            ("application/json;q=0", false),
        ] {
            assert_eq!(prefers_json(accept), wanted, "{accept}");
        }
        let info = Info::of(&Request::get("/?event=x").body(()).expect("a request"), Some([1, 2, 3, 4].into()), "r1");
        assert_eq!(json(&info), r#"{"browser":null,"referer":null,"event":"x","client":"1.2.3.4","release":"r1"}"#);
    }
}
