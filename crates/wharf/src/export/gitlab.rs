//! `.gitlab-ci.yml`: a job for each stage of each run.

use super::pipeline::{PLAN, Pipeline, REPORTS, Run, Step};
use super::{Exporter, HEAD, line, pattern, shell, yaml};
use ci::ProjectFolder;

/// See the module.
pub const EXPORTER: Exporter = Exporter { name: "gitlab", file: ".gitlab-ci.yml", beside, write };

fn beside(folder: &ProjectFolder) -> (String, String) {
    let file = format!("{folder}/.gitlab-ci.yml");
    let told = format!("name `{file}` in the project's settings (CI/CD configuration file), or include it from the one at the top");
    (file, told)
}

/// A rule's `changes` have so many entries at most.
const MOST_CHANGES: usize = 50;

fn write(pipeline: &Pipeline) -> String {
    let mut out: Vec<String> = HEAD.map(str::to_owned).to_vec();
    out.extend(secrets(pipeline));
    out.push(String::new());
    out.push("stages:".to_owned());
    let mut stages: Vec<&str> = Vec::new();
    for step in pipeline.runs.iter().flat_map(|run| &run.steps) {
        if !stages.contains(&step.name) {
            stages.push(step.name);
        }
    }
    // Runs have different stages; what deploys comes last in all of them, and then what judges it.
    stages.sort_by_key(|name| ["push", "plan", "deploy", "smoke", "load"].iter().position(|last| last == name).map_or(0, |at| at + 1));
    out.extend(stages.iter().map(|name| format!("  - {name}")));
    out.extend(["", "workflow:", "  rules:", "    - if: $CI_COMMIT_BRANCH", "", ".wharf:"].map(str::to_owned));
    out.push(format!("  tags: [{}]", yaml(pipeline.runner.as_deref().unwrap_or("wharf"))));
    // All of the history: releases are named by their commit, and a shallow clone is refused.
    out.extend(["  variables:", "    GIT_DEPTH: \"0\"", "    GIT_STRATEGY: clone"].map(str::to_owned));
    out.extend(pipeline.submodules.then(|| "    GIT_SUBMODULE_STRATEGY: recursive".to_owned()));
    out.push("  before_script:".to_owned());
    if !pipeline.folder.is_root() {
        out.push(format!("    - {}", yaml(&format!("cd {}", shell(pipeline.folder.as_str())))));
    }
    out.push(format!("    - {}", yaml(&super::prepared(pipeline))));
    for run in &pipeline.runs {
        for step in &run.steps {
            out.push(String::new());
            job(pipeline, run, step, &mut out);
        }
    }
    out.push(String::new());
    out.join("\n")
}

fn secrets(pipeline: &Pipeline) -> Vec<String> {
    let mut lines = Vec::new();
    for name in &pipeline.secrets {
        lines.push(format!("# Wants the CI/CD variable {name}, masked and protected."));
    }
    if let Some(host) = pipeline.runs.iter().find_map(|run| run.registry.as_deref()) {
        lines.push(format!("# Wants the CI/CD variables WHARF_REGISTRY_USER and WHARF_REGISTRY_PASSWORD (masked, protected) for {host}."));
    }
    if pipeline.runs.iter().any(|run| run.kubeconfig && run.steps.iter().any(|step| step.connects)) {
        lines.push("# Wants the CI/CD variable KUBECONFIG of the type file, protected.".to_owned());
    }
    lines
}

fn job(pipeline: &Pipeline, run: &Run, step: &Step, out: &mut Vec<String>) {
    out.push(format!("{}:", yaml(&format!("{} {}", pipeline.own(&run.name), step.name))));
    out.extend(["  extends: .wharf".to_owned(), format!("  stage: {}", step.name)]);
    rules(run, out);
    if step.deploys {
        out.extend(["  environment:".to_owned(), format!("    name: {}", yaml(&run.wanted.environment))]);
        // One at a time, in order; one that has begun is not ended by the next.
        out.extend([format!("  resource_group: {}", yaml(&run.wanted.environment)), "  interruptible: false".to_owned()]);
    }
    out.push("  script:".to_owned());
    if step.pushes
        && let Some(host) = &run.registry
    {
        out.push(format!("    - {}", yaml(&super::login(host))));
    }
    out.extend(step.commands.iter().map(|command| format!("    - {}", yaml(&line(command)))));
    let (days, reports) = (pipeline.days.unwrap_or(30), pipeline.at(REPORTS));
    out.extend(["  artifacts:".to_owned(), "    when: always".to_owned(), format!("    expire_in: {days} days"), "    paths:".to_owned()]);
    out.push(format!("      - {reports}/"));
    out.extend(run.wanted.artefacts.iter().map(|artefact| format!("      - {}", yaml(&pipeline.at(artefact)))));
    if step.commands.iter().flatten().any(|word| word == "--report") {
        out.extend(["    reports:".to_owned(), format!("      junit: {reports}/{}.xml", step.name)]);
    }
    if step.name == "plan" && run.signed {
        out.push(format!("  # Then: wharf approve {PLAN} --key KEY, and wharf deploy --env {} {PLAN}", run.wanted.environment));
    }
}

fn rules(run: &Run, out: &mut Vec<String>) {
    let wanted = &run.wanted;
    let slashed = |expression: String| expression.replace('/', "\\/");
    let mut condition = match wanted.branches.as_slice() {
        [] => "$CI_COMMIT_BRANCH".to_owned(),
        patterns => format!("$CI_COMMIT_BRANCH =~ /{}/", slashed(pattern::any(patterns))),
    };
    if let Some(but) = &wanted.but {
        condition.push_str(&format!(" && $CI_COMMIT_BRANCH !~ /{}/", slashed(pattern::regex(but))));
    }
    let paths: Vec<String> = wanted.paths.iter().flat_map(|path| pattern::globs(path)).collect();
    let rule = format!("    - if: {}", yaml(&condition));
    out.push("  rules:".to_owned());
    if paths.is_empty() {
        out.push(rule);
        return;
    }
    // The first rule that fits counts.
    for some in paths.chunks(MOST_CHANGES) {
        out.extend([rule.clone(), "      changes:".to_owned()]);
        out.extend(some.iter().map(|path| format!("        - {}", yaml(path))));
    }
}
