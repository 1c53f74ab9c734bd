//! The project file: everything that the design shows is read, and everything that is wrong is told at once.

use base::Finding;
use std::time::Duration;
use wharf::settings::{
    CommandLine, HttpMethod, Origin, Setting, Settings, Source, Threshold, VulnerabilitySeverity, infer, load, read, schema,
};

const EXAMPLE: &str = r#"
project: jobs
images:
  app-a: { context: ., dockerfile: app-a/Dockerfile, prepare: ./dist app-a }     # leaves dist/app-a
  app-b: { context: ., dockerfile: app-b/Dockerfile, prepare: ./dist app-b }
tests:
  unit: cargo test --locked -p app-a -p app-b
checks:
  app-a: { target: lint, run: [pylint, app] }        # inside a build target of the image
manifests: [k8s/]                    # plain Kubernetes YAML; `image: app-a` becomes the built digest
gates: { lint: error, scan: { fail-on: high, only-fixable: true, advisories-at-most: 7d } }
smoke:
  - { get: app-a/hello, status: 200, body: Hello there }
load:
  - { post: app-a/jobs, header: { Authorization: mytoken }, requests: 500, concurrency: 4, max-failed: 0, p99: 250ms }
uptime:
  - { get: app-a/hello, every: 30s, fail-after: 3, notify: [ops] }
tasks:
  seed: { exec: app-b, run: [/app-b, --seed] }
environments:
  local: {}                          # the embedded engine
  kube: { context: kubernetes-test, registry: 127.0.0.1:5000/jobs }
  prod: { context: eks-prod, registry: registry.example.com/jobs, approvers: [ssh-ed25519 AAAA... ops], settings: { replicas: 9 } }
notify:
  ops: { smtp: smtp://mail.example.com:587, from: wharf@example.com, to: [ops@example.com] }
"#;

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn good(text: &str, local: &str, sets: &[&str]) -> (Settings, Vec<Setting>) {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    read(Some(&source("wharf.yaml", text)), Some(&source("wharf.local.yaml", local)), &sets, "project: folder\n").expect("good settings")
}

fn wrong(text: &str, sets: &[&str]) -> Vec<String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let findings = read(Some(&source("wharf.yaml", text)), None, &sets, "project: folder\n").expect_err("wrong settings");
    findings.iter().map(|Finding { place, message, help, .. }| format!("{place}: {message}; {help}")).collect()
}

fn origin<'a>(list: &'a [Setting], path: &str) -> &'a Origin {
    &list.iter().find(|setting| setting.path == path).unwrap_or_else(|| panic!("no {path} in {list:#?}")).origin
}

#[test]
fn the_design_s_example_is_read() {
    let (settings, _) = good(EXAMPLE, "", &[]);
    assert_eq!(settings.project, "jobs");
    assert_eq!(settings.images["app-a"].dockerfile_path(), "app-a/Dockerfile");
    assert_eq!(settings.images["app-b"].prepare, Some(CommandLine::Shell("./dist app-b".to_owned())));
    assert_eq!(settings.checks["app-a"].run.argv(), ["pylint", "app"]);
    assert_eq!(settings.gates.lint, Threshold::Error);
    let scan = settings.gates.scan.as_ref().expect("a scan gate");
    assert_eq!(
        (scan.fail_on, scan.only_fixable, scan.advisories_at_most),
        (VulnerabilitySeverity::High, true, Some(Duration::from_secs(604_800)))
    );
    assert_eq!(settings.smoke[0].request(), (HttpMethod::Get, "app-a/hello"));
    let load = &settings.load[0];
    assert_eq!(
        (load.request(), load.requests, load.concurrency, load.p99),
        ((HttpMethod::Post, "app-a/jobs"), Some(500), 4, Some(Duration::from_millis(250)))
    );
    assert_eq!(load.header["Authorization"], "mytoken");
    assert_eq!((settings.uptime[0].fail_after, settings.uptime[0].notify.as_slice()), (3, ["ops".to_owned()].as_slice()));
    assert_eq!(settings.environments["prod"].settings["replicas"], "9");
    assert_eq!(settings.notify["ops"].to, ["ops@example.com"]);
}

#[test]
fn everything_has_a_default() {
    let (settings, list) = good("", "", &[]);
    assert_eq!(settings.project, "folder");
    assert_eq!(origin(&list, "project"), &Origin::Inferred);
    assert_eq!(origin(&list, "gates.lint"), &Origin::Default);
    assert!(settings.environments.contains_key("local"));
    let (settings, _) = good("images: { app: }\nsmoke: [{ get: app/ }]\nversion: 1.10\n", "", &[]);
    assert_eq!((settings.images["app"].context.as_str(), settings.images["app"].dockerfile_path().as_str()), (".", "Dockerfile"));
    assert_eq!((settings.smoke[0].status, settings.smoke[0].timeout), (200, Duration::from_secs(5)));
    assert_eq!(settings.version.as_deref(), Some("1.10"), "a version is a text, not a number");
}

#[test]
fn secrets_of_images_have_one_place() {
    let (settings, _) = good("images: { app: { secrets: { npm: { env: NPM_TOKEN }, netrc: { file: ~/.netrc } } } }\n", "", &[]);
    let secrets = &settings.images["app"].secrets;
    assert_eq!((secrets["npm"].env.as_deref(), secrets["netrc"].file.as_deref()), (Some("NPM_TOKEN"), Some("~/.netrc")));
    let found = wrong("images:\n  app:\n    secrets:\n      a: { env: X, file: y }\n      b: {}\n      c: { value: x }\n", &[]);
    let said = format!("{found:?}");
    for text in [
        "the secret `a` is in a file or in a variable, not in both",
        "it is not said where the secret `b` is",
        "there is no field `value` here",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn what_stands_later_wins_and_says_where_it_comes_from() {
    let local = "images:\n  app-a:\n    target: dev\nsettings: { replicas: 1, color: blue }\n";
    let sets = ["images.app-a.args.X=1=2", "replicas=3", "load.0.requests=7", "gates.lint=none", "checks.app-a.run=[a, \"b c\"]"];
    let (settings, list) = good(EXAMPLE, local, &sets);
    let image = &settings.images["app-a"];
    assert_eq!(
        (image.target.as_deref(), image.dockerfile.as_deref(), image.args["X"].as_str()),
        (Some("dev"), Some("app-a/Dockerfile"), "1=2")
    );
    assert_eq!((settings.load[0].requests, settings.gates.lint, settings.settings["replicas"].as_str()), (Some(7), Threshold::None, "3"));
    assert_eq!(settings.checks["app-a"].run.argv(), ["a", "b c"]);
    assert_eq!(origin(&list, "images.app-a.target").to_string(), "wharf.local.yaml:3:13");
    assert_eq!(origin(&list, "settings.replicas").to_string(), "--set replicas=3");
    assert_eq!(origin(&list, "images.app-b.dockerfile").to_string(), "wharf.yaml:5:36");
}

#[test]
fn who_is_told_is_told_in_one_way_with_what_it_needs() {
    let text = "notify:\n  a: { smtp: smtp://h, from: W <w@h>, to: [o@h], user: u, password: { file: p } }\n  b: { webhook: https://h/x, secret: { env: S }, about: [run-failed] }\n  c: { slack: { env: CHAT } }\n";
    let (settings, _) = good(text, "", &[]);
    assert_eq!(settings.notify["b"].about.len(), 1);
    let text = "notify:\n  a: { from: w@h }\n  b: { smtp: smtp://h, webhook: https://h, to: [] }\n  c: { smtp: http://h, from: w, to: [o@h, p], user: u, secret: { env: S } }\n  d: { webhook: http://h/x, password: {} }\n  e: { slack: https://hooks/secret }\n  f: { smtp: smtp://h, to: [], password: { file: a, env: B } }\n";
    let found = wrong(text, &[]);
    for (place, message) in [
        ("wharf.yaml:2:3 notify.a", "it is not said how they are told; write `smtp`, `webhook` or `slack`"),
        ("wharf.yaml:3:33 notify.b", "`webhook` is a second way to tell them"),
        ("wharf.yaml:4:14 notify.c.smtp", "`http://h` is no mail server"),
        ("wharf.yaml:4:30 notify.c", "`w` is no address of mail"),
        ("wharf.yaml:4:43 notify.c", "`p` is no address of mail"),
        ("wharf.yaml:4:53 notify.c", "the user needs `password`"),
        ("wharf.yaml:4:64 notify.c", "`secret` belongs to `webhook`; take it out"),
        ("wharf.yaml:5:17 notify.d.webhook", "`http://h` is not https"),
        ("wharf.yaml:5:39 notify.d", "`password` belongs to `smtp`"),
        ("wharf.yaml:5:39 notify.d.password", "it is not said where `password` is, or twice; write `file: PATH` or `env: NAME`"),
        ("wharf.yaml:6:15 notify.e.slack", "a text stands here; write a map with `file`, `env`"),
        ("wharf.yaml:7:14 notify.f", "mail needs `from`"),
        ("wharf.yaml:7:14 notify.f", "mail needs `to`"),
        ("wharf.yaml:7:42 notify.f", "the password needs `user`"),
        ("wharf.yaml:7:42 notify.f.password", "it is not said where `password` is, or twice"),
    ] {
        assert!(
            found.iter().any(|found| found.starts_with(&format!("{place}: ")) && found.contains(message)),
            "{place}: {message}\nin {found:#?}"
        );
    }
    assert!(!found.iter().any(|found| found.contains("hooks/secret")), "{found:#?}");
}

#[test]
fn all_errors_are_told_at_once_each_with_its_place() {
    let text = "projet: x\nimages:\n  App: { contxt: . }\n  b: [1]\nsmoke:\n  - { get: b/x, post: b/y, status: 20O }\n  - { status: 700 }\nload:\n  - { get: Not A Target, p99: fast }\nuptime:\n  - { get: b/x, notify: [opps] }\nchecks:\n  c: { target: t }\ngates: { lint: wanring }\nnotify: { ops: { smtp: smtp://x, from: a@x, to: b } }\ntests: { unit: [], unit: x }\nenvironments: { prod: { registry: \"https://x\" } }\n";
    let found = wrong(text, &["gates.scan.fail-on=hi", "a..b=c", "noequals", "nothing.such=1"]);
    let expected = [
        ("wharf.yaml:1:1", "there is no field `projet` here; did you mean `project`?"),
        ("wharf.yaml:3:3 images.App", "`App` cannot name an image"),
        ("wharf.yaml:3:10 images.App", "there is no field `contxt` here; did you mean `context`?"),
        ("wharf.yaml:4:6 images.b", "a list stands here; write a map with `context`"),
        ("wharf.yaml:6:23 smoke[0]", "a second request stands here"),
        ("wharf.yaml:6:36 smoke[0].status", "`20O` is not a whole number"),
        ("wharf.yaml:7:5 smoke[1]", "nothing is requested here"),
        ("wharf.yaml:7:15 smoke[1]", "`700` is no status of HTTP"),
        ("wharf.yaml:9:12 load[0]", "`Not A Target` is no target"),
        ("wharf.yaml:9:31 load[0].p99", "`fast` is not a duration"),
        ("wharf.yaml:11:26 uptime[0]", "there is no notify `opps`; did you mean `ops`?"),
        ("wharf.yaml:13:3 checks.c", "there is no image `c`"),
        ("wharf.yaml:13:6 checks.c.run", "`run` is missing"),
        ("wharf.yaml:14:16 gates.lint", "`wanring` is not one of `error`, `warning`, `info`, `style`, `none`; did you mean `warning`?"),
        ("wharf.yaml:15:49 notify.ops.to", "a text stands here; write a list"),
        ("wharf.yaml:16:16 tests.unit", "the command is empty"),
        ("wharf.yaml:16:20", "`unit` stands here a second time; the first is at wharf.yaml:16:10"),
        ("wharf.yaml:17:35 environments.prod", "`https://x` is no registry"),
        ("--set a..b=c", "`a..b` is no path of a setting"),
        ("--set gates.scan.fail-on=hi gates.scan.fail-on", "`hi` is not one of"),
        ("--set noequals", "has no equals sign"),
        ("--set nothing.such=1", "there is no field `nothing` here"),
    ];
    for (place, message) in expected {
        assert!(
            found.iter().any(|found| found.starts_with(&format!("{place}: ")) && found.contains(message)),
            "{place}: {message}\nin {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn hostile_yaml_is_refused_in_time() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert!(wrong(bomb, &[])[0].contains("aliases unfold into too many values"));
    assert!(wrong(&format!("a: {}{}", "[".repeat(40), "]".repeat(40)), &[])[0].contains("nested too deeply"));
    assert!(wrong(&"[".repeat(100_000), &[])[0].contains("this is no YAML"));
    assert!(wrong(&(0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>(), &[])[0].contains("nested too deeply"));
    assert!(wrong(&" ".repeat(2 << 20), &[])[0].contains("longer than 1 MiB"));
    assert!(wrong("a: &x { b: *x }\n", &[])[0].contains("its own anchor"));
    assert!(wrong("project: [\n", &[])[0].contains("this is no YAML"));
    assert!(wrong("project: x\n---\nproject: y\n", &[])[0].contains("second document"));
    assert!(wrong("? [a]\n: b\n", &[])[0].contains("a key must be a text"));
    assert!(wrong("- a\n", &[])[0].contains("a list stands here"));
}

#[test]
fn a_folder_without_a_file_works() {
    let folder = std::env::temp_dir().join(format!("Wharf_Settings.{}", std::process::id()));
    std::fs::create_dir_all(folder.join("k8s")).expect("folder");
    std::fs::write(folder.join("k8s/app.yaml"), "").expect("written");
    std::fs::write(folder.join("Dockerfile"), "FROM scratch\n").expect("written");
    std::fs::write(folder.join("go.mod"), "").expect("written");
    let project = load(&folder, &[]).expect("settings");
    let name = format!("wharf-settings-{}", std::process::id());
    assert!(project.inferred);
    assert_eq!((project.settings.project.as_str(), project.settings.images[&name].context.as_str()), (name.as_str(), "."));
    assert_eq!(
        (project.settings.manifests.as_slice(), project.settings.tests["unit"].to_string().as_str()),
        (["k8s/".to_owned()].as_slice(), "go test ./...")
    );
    std::fs::write(folder.join("wharf.yaml"), infer(&folder).yaml(true)).expect("written");
    std::fs::write(folder.join("wharf.local.yaml"), "settings: { a: b }\n").expect("written");
    let written = load(&folder, &["a=c".to_owned()]).expect("settings");
    assert!(!written.inferred);
    assert_eq!(written.settings.images, project.settings.images);
    assert_eq!(written.values("local")["a"], "c");
    std::fs::write(folder.join("wharf.yaml"), [0xff]).expect("written");
    assert!(load(&folder, &[]).expect_err("no text")[0].message.contains("no UTF-8"));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn the_schema_knows_every_field_of_the_example() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    let image = &schema["properties"]["images"]["additionalProperties"];
    assert_eq!((image["properties"]["context"]["default"].as_str(), image["required"].is_null()), (Some("."), true));
    assert_eq!(schema["properties"]["load"]["items"]["properties"]["concurrency"]["default"], 10);
    assert_eq!(schema["properties"]["gates"]["properties"]["lint"]["enum"][1], "warning");
    assert_eq!(schema["properties"]["checks"]["additionalProperties"]["required"][0], "run");
    assert!(schema["properties"]["project"]["description"].as_str().is_some_and(|help| help.starts_with("The project's name")));
}
