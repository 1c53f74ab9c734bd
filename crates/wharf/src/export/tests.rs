//! What is exported runs commands that there are, on the right branches, and shows no secret.

mod changed;

use super::*;
use crate::settings::{Settings, Source};
use saphyr::LoadableYamlNode;

const PROJECT: &str = r#"
project: jobs
images:
  app: { context: app, secrets: { token: { env: BUILD_TOKEN } } }
tests: { unit: cargo test }
checks: { app: { target: lint, run: [lint, it] } }
manifests: [k8s/]
smoke: [{ get: app/ }]
environments:
  local: {}
  stage: { context: eks-stage, registry: registry.example.com/jobs }
  prod: { context: eks-prod, registry: registry.example.com/jobs, approvers: [ssh-ed25519 AAAA ops] }
"#;

fn settings() -> Settings {
    let source = Source { name: "wharf.yaml".to_owned(), text: PROJECT.to_owned() };
    crate::settings::read(Some(&source), None, &[], "project: folder\n").expect("settings").0
}

fn wanted() -> Vec<Wanted> {
    let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let mut all = Wanted::usual("stage", "main");
    all.push(Wanted {
        branches: own(&["release/*", "hot'fix"]),
        paths: own(&["app/**", "k8s/*.yaml"]),
        environment: "prod".to_owned(),
        ..Wanted::default()
    });
    all
}

fn pipeline() -> Pipeline {
    Pipeline::of(&settings(), ProjectFolder::default(), wanted(), Some("big-one".to_owned())).expect("a pipeline")
}

#[test]
fn all_name_every_stage_with_its_command_and_hide_what_is_secret() {
    for exporter in EXPORTERS {
        let text = (exporter.write)(&pipeline());
        for part in [
            "wharf up --env stage --only lint --report wharf-reports/lint.sarif --report wharf-reports/lint.xml",
            "wharf up --env stage --only test ",
            "wharf up --env stage --only prepare,build ",
            "wharf up --env stage --only prepare,check ",
            "wharf up --env stage --only prepare,build,push ",
            "wharf plan --env stage --out wharf-reports/plan.json",
            "wharf deploy --env stage wharf-reports/plan.json",
            "wharf plan --env prod --out wharf-reports/plan.json",
            "BUILD_TOKEN",
            "WHARF_REGISTRY_PASSWORD",
            "big-one",
            "^release/[^/]*$",
        ] {
            let there = [part.to_owned(), part.replace('/', "\\\\/"), part.replace('\\', "\\\\")].iter().any(|part| text.contains(part));
            assert!(there, "{}: {part}\n{text}", exporter.name);
        }
        // What has approvers waits for a signature; the other branches deploy nothing.
        assert!(text.contains("wharf approve wharf-reports/plan.json --key KEY"), "{text}");
        assert_eq!(text.matches("wharf deploy --env prod").count(), 1, "only said: {text}");
        assert_eq!(text.matches("wharf deploy --env stage").count(), 1, "{text}");
        assert!(!text.contains("ssh-ed25519") && !text.contains("set -x"), "{text}");
        // Every file asks for all of the history.
        assert!(["fetch-depth: 0", "GIT_DEPTH: \"0\"", "shallow: false"].iter().any(|full| text.contains(full)), "{text}");
    }
}

#[test]
fn yaml_is_yaml_and_says_what_was_meant() {
    let text = (gitlab::EXPORTER.write)(&pipeline());
    let document = &saphyr::Yaml::load_from_str(&text).expect("YAML")[0];
    let get = |path: &[&str]| {
        path.iter().try_fold(document, |node, key| node.as_mapping_get(key)).and_then(|node| node.as_str()).map(str::to_owned)
    };
    assert_eq!(get(&["stage deploy", "environment", "name"]).as_deref(), Some("stage"));
    assert_eq!(get(&["check lint", "stage"]).as_deref(), Some("lint"));
    assert!(document.as_mapping_get("check deploy").is_none() && document.as_mapping_get("prod deploy").is_none());
    let rules = |wanted: Vec<Wanted>| {
        let text = (gitlab::EXPORTER.write)(&Pipeline::of(&settings(), ProjectFolder::default(), wanted, None).expect("a pipeline"));
        let document = saphyr::Yaml::load_from_str(&text).expect("YAML").remove(0);
        let rules =
            document.as_mapping_get("prod lint").and_then(|job| job.as_mapping_get("rules")).and_then(|rules| rules.as_vec()).cloned();
        let list = |rule: &saphyr::Yaml<'_>| rule.as_mapping_get("changes").and_then(|list| list.as_vec().map(Vec::len));
        rules.expect("rules").iter().map(list).collect::<Vec<_>>()
    };
    let of = |paths: Vec<String>| vec![Wanted { paths, environment: "prod".to_owned(), ..Wanted::default() }];
    assert_eq!(rules(of(Vec::new())), [None]);
    assert_eq!(rules(of((0..60).map(|number| format!("a{number}/**")).collect())), [Some(50), Some(10)]);
    let text = (github::EXPORTER.write)(&pipeline());
    let document = &saphyr::Yaml::load_from_str(&text).expect("YAML")[0];
    let jobs = document.as_mapping_get("jobs").expect("jobs");
    assert_eq!(
        jobs.as_mapping_get("stage").and_then(|job| job.as_mapping_get("if")).and_then(|node| node.as_str()),
        Some("github.ref_name == 'main'")
    );
    assert_eq!(
        jobs.as_mapping_get("check").and_then(|job| job.as_mapping_get("if")).and_then(|node| node.as_str()),
        Some("github.ref_name != 'main'")
    );
}

/// Branches of a multibranch job build side by side, and a first build has no changes.
#[test]
fn jenkins_holds_an_environment_while_it_deploys_and_runs_a_first_build() {
    let text = (jenkins::EXPORTER.write)(&pipeline());
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert_eq!(text.matches("lock(resource: ").count(), 1, "where it is deployed: {text}");
    assert!(at("stage('stage: push')") < at("lock(resource: 'wharf-stage')"), "{text}");
    assert!(
        at("lock(resource: 'wharf-stage')") < at("stage('stage: plan')") && at("stage('stage: plan')") < at("stage('stage: deploy')"),
        "{text}"
    );
    assert!(text.contains("Lockable Resources"), "{text}");
    let first = "comparator: 'REGEXP'; expression { currentBuild.previousBuild == null } }";
    assert_eq!((text.matches("changeset").count(), text.matches(first).count()), (1, 1), "{text}");
    assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
}

#[test]
fn what_means_something_to_a_server_is_refused_by_name() {
    for (wanted, named) in [
        (Wanted { environment: "no".to_owned(), ..Wanted::default() }, "no environment `no`"),
        (Wanted { environment: "${{ x }}".to_owned(), ..Wanted::default() }, "${{ x }}"),
        (
            Wanted { environment: "stage".to_owned(), branches: vec!["${{ secrets.X }}".to_owned()], ..Wanted::default() },
            "${{ secrets.X }}",
        ),
    ] {
        let problem = Pipeline::of(&settings(), ProjectFolder::default(), vec![wanted], None).expect_err(named);
        assert!(problem.message.contains(named), "{problem}");
    }
    let deep = Wanted { environment: "stage".to_owned(), paths: vec!["**a**b**c**d**".to_owned()], ..Wanted::default() };
    let problem = Pipeline::of(&settings(), ProjectFolder::default(), vec![deep], None).expect_err("too deep");
    assert!(problem.message.contains("`**a**b**c**d**`"), "{problem}");
    assert!(Pipeline::of(&settings(), ProjectFolder::default(), wanted(), Some("a b".to_owned())).is_err());
    assert_eq!((shell("a b'c"), shell("a/b.c"), shell("")), ("'a b'\\''c'".to_owned(), "a/b.c".to_owned(), "''".to_owned()));
}

/// Every command that stands in an exported file is one of ours with flags of its own.
#[test]
fn the_commands_are_read_by_our_own_command_line() {
    let pipeline = pipeline();
    let commands: Vec<&Vec<String>> = pipeline.runs.iter().flat_map(|run| &run.steps).flat_map(|step| &step.commands).collect();
    assert!(commands.len() > 12, "{commands:?}");
    for command in commands {
        crate::cli::check(command.iter().map(std::ffi::OsString::from)).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
    crate::cli::check(["wharf", "up", "--no-such-flag"].map(std::ffi::OsString::from)).expect_err("unknown");
}

const IN_A_FOLDER: &str = r#"
project: shop
images: { app: { context: app } }
manifests: [k8s/]
smoke: [{ get: app/ }]
load: [{ get: app/ }]
environments: { local: {}, stage: { context: eks, registry: registry.example.com/shop, load: true } }
ci: { keep: 36h, submodules: true }
"#;

/// A project in a folder of its repository, which says of its runs what can be said.
fn in_a_folder() -> Pipeline {
    let source = Source { name: "wharf.yaml".to_owned(), text: IN_A_FOLDER.to_owned() };
    let settings = crate::settings::read(Some(&source), None, &[], "project: folder\n").expect("settings").0;
    let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let run = |stages: &[&str], skip: &[&str]| Wanted {
        branches: own(&["main"]),
        environment: "stage".to_owned(),
        stages: own(stages),
        skip: own(skip),
        ..Wanted::default()
    };
    let first = Wanted { paths: own(&["src/**", "../lib/*"]), artefacts: own(&["out/report.txt"]), ..run(&[], &[]) };
    let wanted = vec![first, run(&[], &["load"]), run(&["smoke", "load"], &[]), run(&["lint", "smoke"], &["smoke"])];
    Pipeline::of(&settings, ProjectFolder::parse("services/shop").expect("a folder"), wanted, None).expect("a pipeline")
}

#[test]
fn a_project_in_a_folder_runs_there_and_its_files_are_named_from_the_top() {
    let texts: Vec<String> = EXPORTERS.iter().map(|exporter| (exporter.write)(&in_a_folder())).collect();
    let [jenkins, gitlab, github] = texts.as_slice() else { panic!("three kinds") };
    for (text, parts) in [
        (
            jenkins,
            &[
                "dir('services/shop') { sh 'wharf up",
                "services/shop/wharf-reports/*.xml",
                "services/shop/wharf-reports/*, services/shop/out/report.txt",
                "^services/lib/[^/]*$",
                "daysToKeepStr: '2'",
                "SubmoduleOption",
            ][..],
        ),
        (
            gitlab,
            &[
                "cd services/shop",
                "- services/shop/wharf-reports/",
                "- \"services/shop/out/report.txt\"",
                "- \"services/shop/src/",
                "- \"services/lib/*\"",
                "expire_in: 2 days",
                "GIT_SUBMODULE_STRATEGY: recursive",
            ],
        ),
        (
            github,
            &[
                "working-directory: \"services/shop\"",
                "name: wharf-services-shop\n",
                "            services/shop/out/report.txt",
                "^services/shop/src/.*$",
                "retention-days: 2",
                "submodules: recursive",
                "sarif_file: services/shop/wharf-reports",
            ],
        ),
    ] {
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.contains("/services/shop/wharf-reports/ >>"), "{text}");
    }
    let stages: Vec<&str> =
        gitlab.lines().skip_while(|line| *line != "stages:").skip(1).take_while(|line| line.starts_with("  - ")).collect();
    assert_eq!(stages[stages.len() - 5..], ["  - push", "  - plan", "  - deploy", "  - smoke", "  - load"]);
    assert_eq!((github::EXPORTER.beside)(&in_a_folder().folder).0, ".github/workflows/wharf-services-shop.yml");
}

#[test]
fn smoke_and_load_are_done_where_a_run_does_them_and_nowhere_else() {
    let pipeline = in_a_folder();
    let last = |number: usize| pipeline.runs[number].steps.last().map(|step| (step.name, line(&step.commands[0])));
    let reports = |name: &str| format!(" --report wharf-reports/{name}.sarif --report wharf-reports/{name}.xml");
    assert_eq!(last(0), Some(("deploy", "wharf deploy --env stage wharf-reports/plan.json".to_owned())));
    let own = format!("wharf up --yes --env stage --only prepare,build,push,deploy,smoke{}", reports("deploy"));
    assert_eq!(last(1), Some(("deploy", own)), "a saved plan's deploy would put a load on it");
    assert_eq!(last(2), Some(("load", format!("wharf up --env stage --only load{}", reports("load")))));
    assert_eq!(pipeline.runs[2].steps.len(), 2);
    assert_eq!(last(3).expect("a step").0, "lint");
    for command in pipeline.runs.iter().flat_map(|run| &run.steps).flat_map(|step| &step.commands) {
        crate::cli::check(command.iter().map(std::ffi::OsString::from)).unwrap_or_else(|error| panic!("{command:?}: {error}"));
    }
}

#[test]
fn what_would_be_a_pattern_or_lead_out_is_refused_by_name() {
    let of = |wanted: Wanted| Pipeline::of(&settings(), ProjectFolder::parse("a").expect("a folder"), vec![wanted], None);
    let stage = || Wanted { environment: "stage".to_owned(), ..Wanted::default() };
    for (wanted, named) in [
        (Wanted { artefacts: vec!["*".to_owned()], ..stage() }, "the artefact `*`"),
        (Wanted { artefacts: vec!["${{ x }}".to_owned()], ..stage() }, "${{ x }}"),
        (Wanted { paths: vec!["../../b".to_owned()], ..stage() }, "leads out"),
    ] {
        let problem = of(wanted).expect_err(named);
        assert!(problem.message.contains(named), "{problem}");
    }
}

/// A linter that is at hand, run over an exported file; what it said where it did not like it.
fn linted(pipeline: &Pipeline, tool: &str, kind: &str, file: &str, arguments: &[&str]) -> Option<Result<(), String>> {
    let exporter = EXPORTERS.iter().find(|exporter| exporter.name == kind).expect("known");
    let folder = std::env::temp_dir().join(format!("wharf-export-{}", base::ids::suffix(8)));
    let path = folder.join(file);
    base::files::make_folder(path.parent().expect("a folder"), 0o700).expect("made");
    std::fs::write(&path, (exporter.write)(pipeline)).expect("written");
    // A label of one's own is told to actionlint, as people do.
    std::fs::write(folder.join("labels.yaml"), "self-hosted-runner: { labels: [big-one] }\n").expect("written");
    let ran = std::process::Command::new(tool).args(arguments).arg(&path).current_dir(&folder).output();
    std::fs::remove_dir_all(&folder).expect("removed");
    let output = match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        ran => ran.expect("it runs"),
    };
    let said = [output.stdout, output.stderr].concat();
    Some(if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) })
}

#[test]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
fn actionlint_finds_nothing() {
    for pipeline in [pipeline(), in_a_folder()] {
        let arguments = ["-shellcheck=", "-pyflakes=", "-config-file=labels.yaml"];
        match linted(&pipeline, "actionlint", "github", ".github/workflows/wharf.yml", &arguments) {
            None => println!("skipped: actionlint is missing (go install github.com/rhysd/actionlint/cmd/actionlint)"),
            Some(said) => said.expect("nothing is found"),
        }
    }
}
