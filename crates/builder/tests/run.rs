//! Images with RUN, on the base images of `WHARF_TEST_BASES`; needs root.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use builder::BuildError;
use home::{Home, env};

fn home(names: &[&str]) -> Option<Home> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: root");
        return None;
    }
    Home::with_bases(names)
}

#[test]
fn commands_write_layers_that_are_the_same_each_time() {
    let Some(home) = home(&["busybox_stable.tar"]) else { return };
    let dockerfile = "FROM busybox:stable\nARG WHO=world\nENV GREETING=hello\nWORKDIR /app\nRUN echo \"$GREETING $WHO\" > greeting && ln greeting again && mkdir -p deep/er && chmod 1777 deep\nRUN [\"/bin/busybox\", \"rm\", \"again\"]\nRUN rm -rf deep && mkdir deep && touch deep/new\nRUN pwd; id -u; echo $WHO\n";
    let (first, image) = home.build(dockerfile);
    assert_eq!(home.output(), ["/app", "0", "world"]);
    let new: Vec<_> = image.layers.iter().rev().take(3).rev().map(|layer| home.layer(layer)).collect();
    assert_eq!(
        new[0],
        ["755 0:0 app/", "644 0:0 app/again hello world", "1777 0:0 app/deep/", "755 0:0 app/deep/er/", "644 0:0 app/greeting = app/again"]
    );
    assert_eq!(new[1], ["755 0:0 app/", "0 0:0 app/.wh.again"]);
    assert_eq!(new[2], ["755 0:0 app/", "755 0:0 app/deep/", "0 0:0 app/deep/.wh..wh..opq", "644 0:0 app/deep/new"]);
    assert!(image.config.history.last().is_some_and(|step| step.empty_layer), "a command that writes nothing makes no layer");
    let (again, _) = home.build(dockerfile);
    assert_eq!((again.image, again.cached), (first.image, again.steps.len()));
    let mut request = home.request(dockerfile);
    request.no_cache = true;
    assert_eq!(home.build_request(&request).expect("built").image, first.image, "the same commands give the same image");
    request.no_cache = false;
    request.args.insert("WHO".into(), "you".into());
    let other = home.build_request(&request).expect("built");
    assert_eq!(other.steps.iter().map(|step| step.cached).collect::<Vec<_>>(), [true, false, false, false, false]);
    assert_eq!(other.steps[1].reasons, ["changed: variable WHO"]);
    assert!(home.store.fsck().expect("fsck").is_empty());
}

#[test]
fn users_groups_shells_and_here_documents() {
    let Some(home) = home(&["debian_bookworm-slim.tar"]) else { return };
    let (_, image) = home.build(
        "FROM debian:bookworm-slim\nRUN useradd -u 1234 -m app && groupadd -g 77 crew\nUSER app:crew\nWORKDIR /srv/app\nRUN id -u; id -g; touch mine\nCOPY --chown=app:crew <<EOF conf\nx\nEOF\nUSER root\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN set -o | grep pipefail\nRUN <<EOF\necho one\nfor i in 2 3; do echo $i; done\nEOF\nRUN <<EOF\n#!/usr/bin/perl\nprint \"perl\\n\";\nEOF\nRUN cat <<ONE - <<TWO\nfirst\nONE\nsecond\nTWO\n",
    );
    assert_eq!(home.output(), ["1234", "77", "pipefail       \ton", "one", "2", "3", "perl", "second"]);
    let written = home.listing(&image);
    for line in ["755 1234:77 srv/app/", "644 1234:77 srv/app/mine", "644 1234:77 srv/app/conf x"] {
        assert!(written.iter().any(|own| own == line), "{line}");
    }
    assert!(!written.iter().any(|line| line.ends_with("etc/resolv.conf")));
}

#[test]
fn a_failed_command_names_its_line_and_shows_its_last_lines() {
    let Some(home) = home(&["busybox_stable.tar"]) else { return };
    let request = home.request("FROM busybox:stable\n\nRUN for i in $(seq 1 30); do echo line $i; done; \\\n    echo oops >&2; exit 3\n");
    let Err(BuildError::Step(step)) = home.build_request(&request) else { panic!("built") };
    assert_eq!((step.line, step.exit, step.output.len()), (3, Some(3), 20));
    assert_eq!(step.output.last().map(String::as_str), Some("oops"));
    assert!(step.message.contains("exit code 3"), "{step}");
    assert_eq!(std::fs::read_dir(home.store.root().join("tmp")).expect("tmp").count(), 0);
    let Err(BuildError::Step(step)) = home.build_request(&home.request("FROM busybox:stable\nRUN no-such-command\n")) else {
        panic!("built")
    };
    assert_eq!(step.exit, Some(127));
}

#[test]
fn stages_run_side_by_side_and_a_failure_stops_all() {
    let Some(home) = home(&["busybox_stable.tar"]) else { return };
    let dockerfile = "FROM busybox:stable AS a\nRUN sleep 1; echo a > /a\nFROM busybox:stable AS b\nRUN sleep 1; echo b > /b\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n";
    let (built, image) = home.build(dockerfile);
    assert!(built.took.as_millis() < 1_900, "{:?}", built.took);
    assert_eq!(home.listing(&image), ["644 0:0 a a", "644 0:0 b b"]);
    let error = home.fail("FROM busybox:stable AS a\nRUN sleep 1; echo kept > /a\nFROM busybox:stable AS b\nRUN exit 9\nFROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n");
    assert!(error.contains("Dockerfile:4") && error.contains("exit code 9"), "{error}");
}

#[test]
fn links_capabilities_and_sticky_bits_survive_a_copy_between_stages() {
    let Some(home) = home(&["debian_bookworm-slim.tar"]) else { return };
    let (_, image) = home.build(
        "FROM debian:bookworm-slim AS build\nRUN mkdir -p /out/t && chmod 1777 /out/t && echo x > /out/a && ln /out/a /out/b && ln -s a /out/c && chown 5:6 /out/a && touch -d @1000000000 /out/a && mkfifo /out/p && cp /bin/true /out/capable && perl -e 'exit 0'\nRUN rm /etc/debian_version && touch /etc/new && rm -rf /var/lib/dpkg && mkdir /var/lib/dpkg\nFROM scratch\nCOPY --from=build /out /\nCOPY --from=build /etc/n*w /e/\nCOPY --from=build /var/lib/dpkg /d\n",
    );
    let listing = home.listing(&image);
    for line in ["644 5:6 a x", "644 5:6 b = a", "777 0:0 c -> a", "1777 0:0 t/", "644 0:0 e/new", "755 0:0 d/"] {
        assert!(listing.iter().any(|own| own == line), "{line} in {listing:?}");
    }
    assert!(!listing.iter().any(|line| line.contains("debian_version") || line.contains("d/status")), "{listing:?}");
}

#[test]
fn a_real_image_is_built() {
    let Some(home) = home(&["python_3.11-slim.tar"]) else { return };
    home.write("app.py", "import json, sys\nprint(json.dumps({'python': sys.version_info[:2]}))\n");
    let (_, image) = home.build("FROM python:3.11-slim\nWORKDIR /app\nCOPY app.py .\nRUN python -m compileall -q . && python app.py\nUSER 1000\nCMD [\"python\", \"app.py\"]\n");
    assert_eq!(home.output(), ["{\"python\": [3, 11]}"]);
    let mut request = home.request(&std::fs::read_to_string(home.path.join("context/Dockerfile")).expect("Dockerfile"));
    request.no_cache = true;
    assert_eq!(home.build_request(&request).expect("built").image, image.id, "compiled files hold no time");
    assert!(env(&image).contains_key("PATH"));
}
