//! A declarative `Jenkinsfile` for a multibranch job: a stage for each stage of each run.

use super::pipeline::{PLAN, Pipeline, REPORTS, Run, Step};
use super::{Exporter, HEAD, line, pattern};
use ci::ProjectFolder;
use std::collections::BTreeSet;

/// See the module.
pub const EXPORTER: Exporter = Exporter { name: "jenkins", file: "Jenkinsfile", beside, write };

fn beside(folder: &ProjectFolder) -> (String, String) {
    let file = format!("{folder}/Jenkinsfile");
    let told = format!("name `{file}` as the job's script path");
    (file, told)
}

fn write(pipeline: &Pipeline) -> String {
    let mut out: Vec<String> = HEAD.iter().map(|line| line.replacen('#', "//", 1)).collect();
    out.push("// Plugins: Pipeline, Git, JUnit, Credentials Binding, Lockable Resources.".to_owned());
    out.push("pipeline {".to_owned());
    out.push(match &pipeline.runner {
        Some(label) => format!("    agent {{ label {} }}", groovy(label)),
        None => "    agent { label 'wharf' }".to_owned(),
    });
    out.extend(
        ["    options {", "        skipDefaultCheckout()", "        disableConcurrentBuilds()", "        timestamps()"].map(str::to_owned),
    );
    out.extend(pipeline.days.map(|days| format!("        buildDiscarder(logRotator(daysToKeepStr: '{days}'))")));
    out.push("    }".to_owned());
    environment(pipeline, &mut out);
    out.push("    stages {".to_owned());
    checkout(pipeline, &mut out);
    for run in &pipeline.runs {
        out.extend([format!("        stage({}) {{", groovy(&run.name))]);
        when(run, &mut out);
        out.push("            stages {".to_owned());
        let deploys = run.steps.iter().any(|step| step.deploys);
        let (before, rollout): (Vec<&Step>, Vec<&Step>) =
            run.steps.iter().partition(|step| !deploys || !matches!(step.name, "plan" | "deploy" | "smoke" | "load"));
        before.into_iter().for_each(|step| stage(pipeline, run, step, "                ", &mut out));
        if !rollout.is_empty() {
            locked(pipeline, run, &rollout, &mut out);
        }
        out.extend(["            }", "        }"].map(str::to_owned));
    }
    out.push("    }".to_owned());
    out.extend(["    post {", "        always {"].map(str::to_owned));
    let reports = pipeline.at(REPORTS);
    let kept: BTreeSet<String> = pipeline.runs.iter().flat_map(|run| &run.wanted.artefacts).map(|artefact| pipeline.at(artefact)).collect();
    let kept = std::iter::once(format!("{reports}/*")).chain(kept).collect::<Vec<_>>().join(", ");
    out.push(format!("            junit allowEmptyResults: true, testResults: {}", groovy(&format!("{reports}/*.xml"))));
    out.push(format!("            archiveArtifacts allowEmptyArchive: true, artifacts: {}", groovy(&kept)));
    out.extend(["        }", "    }", "}", ""].map(str::to_owned));
    out.join("\n")
}

/// A step in the project's folder.
fn within(pipeline: &Pipeline, step: &str) -> String {
    if pipeline.folder.is_root() { step.to_owned() } else { format!("dir({}) {{ {step} }}", groovy(pipeline.folder.as_str())) }
}

/// A string without interpolation.
fn groovy(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

/// Variables of builds come from credentials of the same name, kind `Secret text`; Jenkins masks them.
fn environment(pipeline: &Pipeline, out: &mut Vec<String>) {
    if !pipeline.secrets.is_empty() {
        out.push("    environment {".to_owned());
        out.extend(pipeline.secrets.iter().map(|name| format!("        {name} = credentials({})", groovy(name))));
        out.push("    }".to_owned());
    }
}

/// All of the history: releases are named by their commit, and a shallow clone is refused.
fn checkout(pipeline: &Pipeline, out: &mut Vec<String>) {
    let submodules = if pipeline.submodules {
        ", [$class: 'SubmoduleOption', disableSubmodules: false, recursiveSubmodules: true, parentCredentials: true]"
    } else {
        ""
    };
    let lines = [
        "        stage('checkout') {",
        "            steps {",
        "                checkout([$class: 'GitSCM', branches: scm.branches, userRemoteConfigs: scm.userRemoteConfigs,",
        "                    extensions: scm.extensions + [[$class: 'CloneOption', shallow: false, depth: 0, noTags: false, reference: ''], [$class: 'CleanBeforeCheckout']SUBMODULES]])",
    ];
    out.extend(lines.map(|line| line.replace("SUBMODULES", submodules)));
    out.push(format!("                {}", within(pipeline, &format!("sh {}", groovy(&super::prepared(pipeline))))));
    out.extend(["            }", "        }"].map(str::to_owned));
}

fn when(run: &Run, out: &mut Vec<String>) {
    let wanted = &run.wanted;
    let mut conditions = Vec::new();
    if !wanted.branches.is_empty() {
        conditions.push(format!("branch pattern: {}, comparator: 'REGEXP'", groovy(&pattern::any(&wanted.branches))));
    }
    if let Some(but) = &wanted.but {
        conditions.push(format!("not {{ branch pattern: {}, comparator: 'REGEXP' }}", groovy(&pattern::regex(but))));
    }
    if !wanted.paths.is_empty() {
        // The first build of a branch has nothing before it: every change counts.
        conditions.push(format!(
            "anyOf {{ changeset pattern: {}, comparator: 'REGEXP'; expression {{ currentBuild.previousBuild == null }} }}",
            groovy(&pattern::any(&wanted.paths))
        ));
    }
    if !conditions.is_empty() {
        out.extend(["            when {".to_owned(), "                allOf {".to_owned()]);
        out.extend(conditions.into_iter().map(|condition| format!("                    {condition}")));
        out.extend(["                }".to_owned(), "            }".to_owned()]);
    }
}

/// `disableConcurrentBuilds` counts each branch of a multibranch job for itself: what changes an environment waits for its lock.
fn locked(pipeline: &Pipeline, run: &Run, steps: &[&Step], out: &mut Vec<String>) {
    let environment = &run.wanted.environment;
    out.extend([
        format!("                stage({}) {{", groovy(&format!("{}: rollout", run.name))),
        format!("                    options {{ lock(resource: {}) }}", groovy(&format!("wharf-{environment}"))),
        "                    stages {".to_owned(),
    ]);
    steps.iter().for_each(|step| stage(pipeline, run, step, "                        ", out));
    out.extend(["                    }", "                }"].map(str::to_owned));
}

fn stage(pipeline: &Pipeline, run: &Run, step: &Step, margin: &str, out: &mut Vec<String>) {
    let credentials: Vec<&str> = [
        (step.pushes && run.registry.is_some(), "usernamePassword(credentialsId: 'wharf-registry', usernameVariable: 'WHARF_REGISTRY_USER', passwordVariable: 'WHARF_REGISTRY_PASSWORD')"),
        (step.connects && run.kubeconfig, "file(credentialsId: 'wharf-kubeconfig', variable: 'KUBECONFIG')"),
    ]
    .into_iter()
    .filter_map(|(wanted, binding)| wanted.then_some(binding))
    .collect();
    // A name stands once in a pipeline.
    let name = format!("{}: {}", run.name, step.name);
    out.extend([format!("{margin}stage({}) {{", groovy(&name)), format!("{margin}    steps {{")]);
    let mut commands = Vec::new();
    if step.pushes
        && let Some(host) = &run.registry
    {
        commands.push(super::login(host));
    }
    commands.extend(step.commands.iter().map(|command| line(command)));
    let (before, after, indent) = if credentials.is_empty() {
        (None, None, format!("{margin}        "))
    } else {
        (
            Some(format!("{margin}        withCredentials([{}]) {{", credentials.join(", "))),
            Some(format!("{margin}        }}")),
            format!("{margin}            "),
        )
    };
    out.extend(before);
    // Single quotes: the shell reads the variables, so that no secret stands in the script.
    out.extend(commands.into_iter().map(|command| format!("{indent}{}", within(pipeline, &format!("sh {}", groovy(&command))))));
    out.extend(after);
    if step.name == "plan" && run.signed {
        let next = format!(
            "{PLAN} waits for a signature: wharf approve {PLAN} --key KEY, then wharf deploy --env {} {PLAN}",
            run.wanted.environment
        );
        out.push(format!("{margin}        echo {}", groovy(&next)));
    }
    out.extend([format!("{margin}    }}"), format!("{margin}}}")]);
}
