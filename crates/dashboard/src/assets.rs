//! What pages are drawn with: a stylesheet, a script, a picture. Each is named by its content, so that it never changes.

use base::ids;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use net::Body;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file of ours.
pub(crate) struct Asset {
    /// Below `/assets/`: `pages.0123456789ab.css`.
    name: String,
    media_type: &'static str,
    text: &'static str,
}

/// How pages look.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("assets/pages.css")));
/// What keeps them up to date.
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("assets/pages.js")));
/// The picture in a tab.
pub(crate) static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("assets/icon.svg")));

impl Asset {
    fn new(extension: &str, media_type: &'static str, text: &'static str) -> Self {
        let digest = ids::hex(&Sha256::digest(text.as_bytes()));
        Self { name: format!("pages.{}.{extension}", digest.get(..12).unwrap_or_default()), media_type, text }
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The answer for the name of an asset.
pub(crate) fn answer(name: &str) -> Option<Response<Body>> {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let asset = all.into_iter().find(|asset| asset.name == name)?;
    let mut answer = Response::new(Body::from(Bytes::from_static(asset.text.as_bytes())));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// `--name: light-dark(#rrggbb, #rrggbb);` of the stylesheet.
    fn colours() -> BTreeMap<&'static str, [u32; 2]> {
        let colour = |text: &str| u32::from_str_radix(text.trim().strip_prefix('#').expect("a colour"), 16).expect("hex");
        let declared = STYLE.text.split(';').filter_map(|one| one.rsplit_once("--")?.1.split_once(": light-dark("));
        let read = |(name, values): (&'static str, &'static str)| {
            let (light, dark) = values.trim_end_matches(')').split_once(',').expect("two colours");
            (name, [colour(light), colour(dark)])
        };
        declared.map(read).collect()
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: u32) -> f64 {
        let part = |shift: u32| {
            let value = f64::from(colour >> shift & 0xff) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }

    fn contrast(one: u32, other: u32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_stands_out_in_light_and_dark() {
        let colours = colours();
        let states = ["done", "unchanged", "warned", "failed", "running", "waiting", "skipped"];
        let on_own: Vec<(String, String)> = states.iter().map(|state| ((*state).to_owned(), format!("{state}-bg"))).collect();
        let named = |text: &str, grounds: &[&str]| grounds.iter().map(|ground| (text.to_owned(), (*ground).to_owned())).collect::<Vec<_>>();
        let mut pairs = on_own;
        pairs.extend(named("text", &["bg", "card", "soft"]));
        pairs.extend(named("dim", &["bg", "card", "soft"]));
        pairs.extend(named("accent", &["bg", "card", "soft"]));
        pairs.extend(named("on-accent", &["accent"]));
        pairs.extend(["failed", "done", "warned"].into_iter().flat_map(|text| named(text, &["card"])));
        assert!(contrast(0x00_0000, 0xff_ffff) > 20.9, "black on white");
        for (text, ground) in pairs {
            for look in 0..2 {
                let ratio = contrast(colours[text.as_str()][look], colours[ground.as_str()][look]);
                assert!(ratio >= 4.5, "{text} on {ground}, {}: {ratio:.2}", ["light", "dark"][look]);
            }
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        assert!(!STYLE.text.contains("url("));
        for asset in [&STYLE, &SCRIPT, &ICON] {
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!["http:", "https:", "//cdn", "@import"].iter().any(|part| text.contains(part)), "{}", asset.name);
            assert!(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML") && !text.contains("eval("), "{}", asset.name);
        }
    }
}
