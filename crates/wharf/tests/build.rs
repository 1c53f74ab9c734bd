//! `wharf build` as people use it, with real containers, on the base images of WHARF_TEST_BASES; needs root.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

#[path = "build/caches.rs"]
mod caches;
#[path = "build/people.rs"]
mod people;
#[path = "build/place.rs"]
mod place;
#[path = "build/repositories.rs"]
mod repositories;

use place::{Place, said};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

#[test]
fn mounts_and_networks_are_as_asked_in_real_containers() {
    let Some(place) = Place::new("mounts") else { return };
    place.write("src/a", "content");
    place.write("src/hidden", "hidden");
    place.write(".dockerignore", "src/hidden\n");
    let dockerfile = "FROM busybox:stable AS tools\nRUN mkdir -p /opt/t && echo one > /opt/t/one && ln -s /opt/t /opt/way\nRUN echo two > /opt/t/two\nFROM busybox:stable\nWORKDIR /app\nRUN --mount=from=tools,source=/opt/way,target=/t ls /t; touch /t/x 2>/dev/null || echo layers are read-only\nRUN --mount=source=src,target=deep/er,rw ls deep/er; echo new > deep/er/b && ls deep/er | wc -l\nRUN --mount=type=cache,target=/home/.cache/x,sharing=locked echo x >> /home/.cache/x/f; wc -l < /home/.cache/x/f\nRUN --mount=type=cache,target=/c,id=/home/.cache/x,source=sub,readonly touch /c/y 2>/dev/null || echo cache is read-only\nRUN --mount=type=tmpfs,target=/mem,size=1m df /mem | tail -n1 | awk '{print $2}'\nRUN --network=none grep -c : /proc/net/dev; ping -c1 -W1 127.0.0.1 >/dev/null && echo own loopback; ping -c1 -W1 10.41.0.1 >/dev/null 2>&1 || echo no way out\nRUN sh -c 'sleep 0.1 &'; sleep 0.3; ps -o stat | grep -c Z || true\n";
    let (lines, _) = place.build(dockerfile, &["-t", "one", "-o", "type=local,dest=out"]);
    for text in ["one", "two", "layers are read-only", "a", "2", "1", "cache is read-only", "1024", "own loopback", "no way out", "0"] {
        assert!(said(&lines, text), "{text}: {lines:?}");
    }
    assert!(!said(&lines, "hidden"));
    let mut left: Vec<String> = fs::read_dir(place.0.join("out/app"))
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert!(left.is_empty() && !place.0.join("out/t").exists() && !place.0.join("out/home/.cache").exists(), "{left:?}");
    assert!(!place.0.join("context/src/b").exists());
    let (listed, _) = place.ok(&["image", "ls", "--cache"]);
    assert!(listed.contains("/home/.cache/x"), "{listed}");
    let (lines, _) = place.build(dockerfile, &["--no-cache"]);
    assert!(said(&lines, "2"), "the cache was kept: {lines:?}");
    place.ok(&["image", "prune", "--cache"]);
    assert_eq!(place.ok(&["image", "ls", "--cache"]).0.lines().count(), 1, "the heading alone");
    let (error, code) = place.fail("FROM busybox:stable\nRUN --network=host true\n", &[]);
    assert!(code == 1 && error.contains("--allow network.host"), "{error}");
    let own = Command::new("nsenter").arg(place.inside()).args(["readlink", "/proc/self/ns/net"]).output().expect("nsenter");
    let (lines, _) = place.build("FROM busybox:stable\nRUN --network=host readlink /proc/self/ns/net\n", &["--allow", "network.host"]);
    assert_eq!(lines.first().map(String::as_str), Some(String::from_utf8_lossy(&own.stdout).trim()));
}

#[test]
fn secrets_are_told_to_nobody_and_stored_nowhere() {
    let Some(place) = Place::new("secrets") else { return };
    fs::write(place.0.join("key"), "file-secret-18\n").expect("written");
    let dockerfile = "FROM busybox:stable\nRUN --mount=type=secret,id=TOKEN,env=T --mount=type=secret,id=key,required echo \"$T\"; cat /run/secrets/key; base64 /run/secrets/key; df /run/secrets/key | tail -n1 | awk '{print $1}'; stat -c '%a' /run/secrets/key; touch /done\n";
    let args = ["--secret", "id=TOKEN", "--secret", "id=key,src=key", "--metadata-file", "meta.json", "--iidfile", "id", "-t", "s"];
    let (lines, id) = place.build(dockerfile, &args);
    assert!(lines.iter().filter(|line| *line == "***").count() >= 2 && said(&lines, "tmpfs") && said(&lines, "400"), "{lines:?}");
    assert_eq!(fs::read_to_string(place.0.join("id")).expect("id"), id);
    let (json, _) = place.ok(&["--json", "image", "inspect", "s"]);
    let (history, _) = place.ok(&["image", "history", "s"]);
    let told = [lines.concat(), json, history, fs::read_to_string(place.0.join("meta.json")).expect("metadata")].concat();
    for form in ["s3cret-value-17", "file-secret-18", "ZmlsZS1zZWNyZXQ"] {
        assert!(!told.contains(form), "{form}");
        let found = Command::new("grep").args(["-rlF", form]).arg(place.0.join("home")).output().expect("grep");
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "{form}");
    }
    for (text, why) in [
        ("id=x,src=none", "is no file"),
        ("id=x,env=NOT_SET_AT_ALL", "is not set"),
        ("src=key", "has no id"),
        ("id=x,what=y", "is not known"),
    ] {
        let (error, code) = place.fail(dockerfile, &["--secret", text]);
        assert!(code == 2 && error.contains(why), "{text}: {error}");
    }
    let (error, code) = place.fail(dockerfile, &["--no-cache"]);
    assert!(code == 1 && error.contains("the secret `key` was not given"), "{error}");
}

/// Answers a few requests: a redirect, a file with `Last-Modified`, `304` where it is known, else `404`.
fn server(place: &Place) -> u16 {
    let listener = sys::netns::run_in(&place.netns(), || TcpListener::bind("127.0.0.1:0")).expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(got @ 1..) => request.extend_from_slice(&buffer[..got]),
                    _ => break,
                }
            }
            let request = String::from_utf8_lossy(&request).to_lowercase();
            let modified = "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
            let answer = if request.starts_with("get /old ") {
                "HTTP/1.1 302 Found\r\nLocation: /file\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            } else if request.starts_with("get /file ") && request.contains("if-modified-since: wed, 21 oct 2015") {
                format!("HTTP/1.1 304 Not Modified\r\n{modified}Connection: close\r\n\r\n")
            } else if request.starts_with("get /file ") {
                format!("HTTP/1.1 200 OK\r\n{modified}Content-Length: 5\r\nConnection: close\r\n\r\nhello")
            } else {
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn addresses_are_fetched_and_what_cannot_be_reached_is_said() {
    let Some(place) = Place::new("fetch") else { return };
    let port = server(&place);
    let dockerfile = format!("FROM busybox:stable\nADD http://127.0.0.1:{port}/old /x/\nRUN stat -c '%a %Y' /x/old; cat /x/old\n");
    let (lines, id) = place.build(&dockerfile, &[]);
    assert!(said(&lines, "600 1445412480") && lines.iter().any(|line| line.starts_with("hello")), "{lines:?}");
    let (lines, again) = place.build(&dockerfile, &[]);
    assert_eq!((lines, again), (vec!["cached".to_owned(); 2], id));
    let (error, code) = place.fail(&format!("FROM scratch\nADD http://127.0.0.1:{port}/none /\n"), &[]);
    assert!(code == 1 && error.contains("answers 404"), "{error}");
    let (error, code) = place.fail("FROM scratch\nADD http://127.0.0.1:1/x /\n", &[]);
    assert!(code == 4 && error.contains("127.0.0.1:1"), "{error}");
    let (error, code) = place.fail("FROM 127.0.0.1:1/some/base\n", &[]);
    assert!(code == 4 && error.contains("is not here, and cannot be pulled") && error.contains("127.0.0.1:1"), "{error}");
    let (error, code) = place.fail("FROM busybox:stable\n", &["--platform", "linux/s390x"]);
    assert!(code == 2 && error.contains("cannot be built here"), "{error}");
}

#[test]
fn builds_are_verified_and_come_out_as_asked() {
    let Some(place) = Place::new("outputs") else { return };
    place.write("a", "1");
    let dockerfile = "FROM busybox:stable\nCOPY a /a\nRUN echo x > /x\n";
    let (_, id) = place.build(dockerfile, &["--verify", "-o", "type=tar,dest=files.tar", "-o", "type=oci,dest=oci.tar", "-o", "folder"]);
    let listed = Command::new("tar").arg("-tf").arg(place.0.join("files.tar")).output().expect("tar");
    assert!(String::from_utf8_lossy(&listed.stdout).lines().any(|line| line == "a"));
    assert_eq!(fs::read_to_string(place.0.join("folder/x")).expect("x"), "x\n");
    let (loaded, _) = place.ok(&["image", "load", "oci.tar"]);
    assert_eq!(loaded.trim(), id);
    // An archive on standard output, and nothing else there.
    place.write("Dockerfile", dockerfile);
    let out = place.run(&["build", "context", "-o", "-"]);
    assert_eq!(out.stdout, fs::read(place.0.join("files.tar")).expect("read"));
    let (error, code) = place.fail("FROM busybox:stable\nRUN cat /proc/sys/kernel/random/uuid > /id\n", &["--verify"]);
    assert!(code == 1 && error.contains("`/id`: its content") && error.contains("RUN cat /proc"), "{error}");
}
