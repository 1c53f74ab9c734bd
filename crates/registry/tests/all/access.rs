//! Who may do what: passwords, rights, TLS, and pages in a browser of this machine.

use crate::client::{Folder, Server, digest};
use registry::Options;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

fn file(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.0.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn users(names: &[&str]) -> String {
    let hash = |name: &str| bcrypt::hash(format!("{name}-secret"), 4).expect("hash");
    names.iter().map(|name| format!("{name}:{}\n", hash(name))).collect()
}

#[test]
fn without_a_password_nothing_is_told() {
    let files = Folder::new();
    let htpasswd = file(&files, "users", &users(&["ann"]));
    let server = Server::with(Options { htpasswd: Some(htpasswd), ..Options::default() });
    let mut anybody = server.client();
    let named = digest(b"x");
    for (method, path) in [
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", "/v2/a/tags/list".to_owned()),
        ("GET", "/v2/a/manifests/v1".to_owned()),
        ("PUT", "/v2/a/manifests/v1".to_owned()),
        ("DELETE", "/v2/a/manifests/v1".to_owned()),
        ("GET", format!("/v2/a/blobs/{named}")),
        ("DELETE", format!("/v2/a/blobs/{named}")),
        ("GET", format!("/v2/a/referrers/{named}")),
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("PATCH", "/v2/a/blobs/uploads/0".to_owned()),
    ] {
        let answer = anybody.ask(method, &path);
        assert_eq!(answer.refusal(), (401, "UNAUTHORIZED".into()), "{method} {path}");
        assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{method} {path}");
    }
    let mut ann = server.client().with_user("ann", "ann-secret");
    ann.ask("GET", "/v2/").expect(200);
    ann.push("a", b"x");
    for (user, password) in [("ann", "other"), ("bob", "ann-secret"), ("", "")] {
        let mut wrong = server.client().with_user(user, password);
        assert_eq!(wrong.ask("GET", "/v2/").refusal(), (401, "UNAUTHORIZED".into()), "{user}");
    }
    let strange = anybody.send("GET", "/v2/", &[("Authorization", "Bearer x")], b"");
    assert_eq!(strange.status, 401);
}

#[test]
fn rights_are_of_repositories() {
    let files = Folder::new();
    let rights = "ann jobs/** pull push delete\nci jobs/* pull push\n* shared/** pull\nanonymous public/** pull\nann public/** push\nann shared/** push\n";
    let options = Options {
        htpasswd: Some(file(&files, "users", &users(&["ann", "ci"]))),
        rights: Some(file(&files, "rights", rights)),
        ..Options::default()
    };
    let server = Server::with(options);
    let (mut ann, mut ci) = (server.client().with_user("ann", "ann-secret"), server.client().with_user("ci", "ci-secret"));
    let mut anybody = server.client();
    let named = ann.push("jobs/app", b"x");
    ann.push("public/app", b"x");
    ann.push("shared/app", b"x");
    ci.push("jobs/app", b"y");
    let denied = (403, "DENIED".to_owned());
    assert_eq!(ci.ask("POST", "/v2/jobs/a/b/blobs/uploads/").refusal(), denied);
    assert_eq!(ci.ask("DELETE", &format!("/v2/jobs/app/blobs/{named}")).refusal(), denied);
    assert_eq!(ci.ask("POST", "/v2/public/app/blobs/uploads/").refusal(), denied);
    assert_eq!(ann.ask("GET", "/v2/other/tags/list").refusal(), denied);
    assert_eq!(anybody.ask("GET", &format!("/v2/public/app/blobs/{named}")).status, 200);
    assert_eq!(anybody.ask("GET", &format!("/v2/shared/app/blobs/{named}")).status, 401);
    assert_eq!(ci.ask("GET", &format!("/v2/shared/app/blobs/{named}")).status, 200);
    let list = |client: &mut crate::client::Client| client.ask("GET", "/v2/_catalog").expect(200).json()["repositories"].to_string();
    assert_eq!(list(&mut anybody), r#"["public/app"]"#);
    assert_eq!(list(&mut ci), r#"["jobs/app","public/app","shared/app"]"#);
    ann.ask("DELETE", &format!("/v2/jobs/app/blobs/{named}")).expect(202);
}

#[test]
fn a_mount_needs_the_right_to_pull_there() {
    let files = Folder::new();
    let options = Options {
        htpasswd: Some(file(&files, "users", &users(&["ann", "bob"]))),
        rights: Some(file(&files, "rights", "ann ann/** pull push\nbob bob/** pull push\n")),
        ..Options::default()
    };
    let server = Server::with(options);
    let named = server.client().with_user("ann", "ann-secret").push("ann/app", b"secret");
    let mut bob = server.client().with_user("bob", "bob-secret");
    for query in [format!("mount={named}&from=ann/app"), format!("mount={named}")] {
        bob.ask("POST", &format!("/v2/bob/app/blobs/uploads/?{query}")).expect(202);
    }
    assert_eq!(bob.ask("GET", &format!("/v2/bob/app/blobs/{named}")).status, 404);
}

#[test]
fn files_that_change_are_taken_in_and_bad_ones_are_not() {
    let files = Folder::new();
    let htpasswd = file(&files, "users", &users(&["ann"]));
    let server = Server::with(Options { htpasswd: Some(htpasswd), ..Options::default() });
    let becomes = |user: &str, expected: u16| {
        let begun = std::time::Instant::now();
        loop {
            let status = server.client().with_user(user, &format!("{user}-secret")).ask("GET", "/v2/").status;
            if status == expected {
                return;
            }
            assert!(begun.elapsed().as_secs() < 20, "{user}: {status}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    becomes("ann", 200);
    file(&files, "users", "nonsense\n");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    becomes("ann", 200);
    file(&files, "users", &users(&["bob", "cleo"]));
    becomes("bob", 200);
    becomes("ann", 401);
}

#[test]
fn pages_of_other_hosts_are_refused() {
    let server = Server::with(Options { hosts: vec!["registry.test".to_owned()], ..Options::default() });
    let mut client = server.client();
    for host in ["localhost:5000", "127.0.0.1", "[::1]:5000", "registry.test:5000"] {
        assert_eq!(client.send("GET", "/v2/", &[("Host", host)], b"").status, 200, "{host}");
    }
    for host in ["attacker.example", "localhost.attacker.example", "127.0.0.1.attacker.example"] {
        assert_eq!(client.send("GET", "/v2/", &[("Host", host)], b"").refusal(), (403, "DENIED".into()), "{host}");
    }
    for (origin, status) in [("http://attacker.example", 403), ("null", 403), ("http://127.0.0.1:8080", 200), ("http://localhost", 200)] {
        assert_eq!(client.send("GET", "/v2/", &[("Origin", origin)], b"").status, status, "{origin}");
    }
}

#[test]
fn tls_is_served() {
    let key = rcgen::KeyPair::generate().expect("key");
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("name").self_signed(&key).expect("signed");
    let tls = registry::tls(&certificate.pem(), &key.serialize_pem()).expect("settings");
    let server = Server::with_tls(Folder::new(), Options::default(), Some(tls));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).expect("root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("name");
    let session = rustls::ClientConnection::new(Arc::new(config), name).expect("session");
    let stream = std::net::TcpStream::connect(server.address).expect("connected");
    let mut stream = rustls::StreamOwned::new(session, stream);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(registry::tls("nonsense", "nonsense").is_err());
}

#[test]
fn tokens_are_for_those_with_and_without_a_password() {
    let files = Folder::new();
    let options = Options {
        htpasswd: Some(file(&files, "users", &users(&["ann"]))),
        rights: Some(file(&files, "rights", "ann ** pull push\nanonymous public/** pull\n")),
        ..Options::default()
    };
    let server = Server::with(options);
    let mut anybody = server.client();
    let refused = anybody.ask("GET", "/v2/").expect(401);
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"wharf\"", server.address);
    assert_eq!(refused.header("www-authenticate"), realm);
    let wanted = anybody.ask("POST", "/v2/public/a/blobs/uploads/").expect(401);
    assert_eq!(wanted.header("www-authenticate"), format!("{realm},scope=\"repository:public/a:pull,push\""));
    let give = |client: &mut crate::client::Client| {
        client.ask("GET", "/token?service=wharf").expect(200).json()["token"].as_str().map(str::to_owned)
    };
    let (nobody, ann) = (give(&mut anybody).expect("token"), give(&mut server.client().with_user("ann", "ann-secret")).expect("token"));
    assert_eq!(server.client().with_user("ann", "wrong").ask("GET", "/token").status, 401);
    let mut with =
        |token: &str, method: &str, path: &str| anybody.send(method, path, &[("Authorization", &format!("Bearer {token}"))], b"").status;
    for (token, method, path, status) in [
        (&nobody, "GET", "/v2/", 200),
        (&ann, "GET", "/v2/", 200),
        (&ann, "POST", "/v2/public/a/blobs/uploads/", 202),
        (&ann, "DELETE", "/v2/public/a/manifests/v1", 403),
        (&nobody, "POST", "/v2/public/a/blobs/uploads/", 401),
        (&nobody, "GET", "/v2/public/a/tags/list", 404),
        (&nobody, "GET", "/v2/private/tags/list", 401),
        (&"x".to_owned(), "GET", "/v2/", 401),
    ] {
        assert_eq!(with(token, method, path), status, "{method} {path}");
    }
}
