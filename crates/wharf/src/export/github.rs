//! A workflow of GitHub Actions: a job for each run, a step for each stage. Actions are GitHub's own, pinned by commit.

use super::pipeline::{PLAN, Pipeline, REPORTS, Run, Step, slug};
use super::{Exporter, HEAD, line, pattern, yaml};
use ci::ProjectFolder;

/// See the module.
pub const EXPORTER: Exporter = Exporter { name: "github", file: ".github/workflows/wharf.yml", beside, write };

/// The longest that GitHub keeps anything, in days.
const RETENTION: u64 = 400;
const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
const UPLOAD: &str = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0";
const SARIF: &str = "github/codeql-action/upload-sarif@8aad20d150bbac5944a9f9d289da16a4b0d87c1e # v4.36.2";

/// GitHub looks nowhere else.
fn beside(folder: &ProjectFolder) -> (String, String) {
    (format!(".github/workflows/wharf-{}.yml", slug(folder)), String::new())
}

fn write(pipeline: &Pipeline) -> String {
    let mut out: Vec<String> = HEAD.map(str::to_owned).to_vec();
    out.push(format!("name: {}", pipeline.own("wharf")));
    out.extend(["on:", "  push:", "    branches: ['**']", "permissions:", "  contents: read"].map(str::to_owned));
    out.push("jobs:".to_owned());
    for run in &pipeline.runs {
        job(pipeline, run, &mut out);
    }
    out.push(String::new());
    out.join("\n")
}

fn job(pipeline: &Pipeline, run: &Run, out: &mut Vec<String>) {
    out.push(format!("  {}:", run.name));
    if let Some(condition) = condition(run) {
        out.push(format!("    if: {condition}"));
    }
    let label = pipeline.runner.as_deref();
    out.push(format!(
        "    runs-on: {}",
        label.map_or_else(|| "[self-hosted, linux]".to_owned(), |label| format!("[self-hosted, linux, {}]", yaml(label)))
    ));
    out.extend(["    permissions:", "      contents: read", "      security-events: write"].map(str::to_owned));
    if run.steps.iter().any(|step| step.deploys) {
        // Who may deploy, and who has to agree, is set at the environment; one at a time, and none is broken off.
        out.push(format!("    environment: {}", yaml(&run.wanted.environment)));
        out.extend([
            "    concurrency:".to_owned(),
            format!("      group: {}", yaml(&format!("{}-{}", pipeline.own("wharf"), run.wanted.environment))),
            "      cancel-in-progress: false".to_owned(),
        ]);
    }
    if !pipeline.secrets.is_empty() {
        out.push("    env:".to_owned());
        out.extend(pipeline.secrets.iter().map(|name| format!("      {name}: ${{{{ secrets.{name} }}}}")));
    }
    if !pipeline.folder.is_root() {
        let folder = yaml(pipeline.folder.as_str());
        out.extend(["    defaults:".to_owned(), "      run:".to_owned(), format!("        working-directory: {folder}")]);
    }
    out.push("    steps:".to_owned());
    // All of the history: releases are named by their commit, and a shallow clone is refused.
    out.extend([
        format!("      - uses: {CHECKOUT}"),
        "        with:".to_owned(),
        "          fetch-depth: 0".to_owned(),
        "          persist-credentials: false".to_owned(),
    ]);
    out.extend(pipeline.submodules.then(|| "          submodules: recursive".to_owned()));
    let narrowed = which(run, out);
    out.push(format!("      - run: {}", yaml(&super::prepared(pipeline))));
    for step in &run.steps {
        self::step(run, step, narrowed, out);
    }
    after(pipeline, run, out);
}

/// What an expression of GitHub's can say: names, but no patterns.
fn condition(run: &Run) -> Option<String> {
    let quoted = |name: &str| format!("'{}'", name.replace('\'', "''"));
    let mut all = Vec::new();
    let branches = &run.wanted.branches;
    if !branches.is_empty() && branches.iter().all(|branch| pattern::is_exact(branch)) {
        let names: Vec<String> = branches.iter().map(|branch| format!("github.ref_name == {}", quoted(branch))).collect();
        all.push(if names.len() == 1 { names.concat() } else { format!("({})", names.join(" || ")) });
    }
    all.extend(run.wanted.but.iter().map(|but| format!("github.ref_name != {}", quoted(but))));
    (!all.is_empty()).then(|| yaml(&all.join(" && ")))
}

/// The rest is asked of a shell, which reads branch and patterns as variables and not as script.
fn which(run: &Run, out: &mut Vec<String>) -> bool {
    let wanted = &run.wanted;
    let patterns = !wanted.branches.iter().all(|branch| pattern::is_exact(branch));
    if !patterns && wanted.paths.is_empty() {
        return false;
    }
    out.extend(
        [
            "      - id: which",
            "        name: which",
            "        shell: bash",
            "        env:",
            "          BRANCH: ${{ github.ref_name }}",
            "          BEFORE: ${{ github.event.before }}",
        ]
        .map(str::to_owned),
    );
    out.push(format!(
        "          BRANCHES: {}",
        yaml(&if wanted.branches.is_empty() { String::new() } else { pattern::any(&wanted.branches) })
    ));
    out.push(format!("          PATHS: {}", yaml(&if wanted.paths.is_empty() { String::new() } else { pattern::any(&wanted.paths) })));
    let script = [
        "        run: |",
        "          fits=true",
        "          if [ -n \"$BRANCHES\" ] && ! [[ \"$BRANCH\" =~ $BRANCHES ]]; then fits=false; fi",
        "          # The first push of a branch has nothing before it: every change counts.",
        "          if [ -n \"$PATHS\" ] && git cat-file -e \"$BEFORE^{commit}\" 2>/dev/null; then",
        "            # All of the list is read before it is searched: a search that ends early would fail who writes it.",
        "            changed=$(git diff --no-renames --no-relative --name-only -z \"$BEFORE\" HEAD | tr '\\0' '\\n')",
        "            grep -Eq \"$PATHS\" <<<\"$changed\" || { [ $? = 1 ] || exit 2; fits=false; }",
        "          fi",
        "          echo \"fits=$fits\" >> \"$GITHUB_OUTPUT\"",
    ];
    out.extend(script.map(str::to_owned));
    true
}

fn step(run: &Run, step: &Step, narrowed: bool, out: &mut Vec<String>) {
    out.push(format!("      - name: {}", step.name));
    if narrowed {
        out.push("        if: steps.which.outputs.fits == 'true'".to_owned());
    }
    let mut commands = Vec::new();
    let mut variables = Vec::new();
    if step.pushes
        && let Some(host) = &run.registry
    {
        variables
            .extend(["WHARF_REGISTRY_USER", "WHARF_REGISTRY_PASSWORD"].map(|name| format!("          {name}: ${{{{ secrets.{name} }}}}")));
        commands.push(super::login(host));
    }
    if step.connects && run.kubeconfig {
        variables.push("          WHARF_KUBECONFIG: ${{ secrets.WHARF_KUBECONFIG }}".to_owned());
        commands.push(
            "umask 077; printf '%s' \"$WHARF_KUBECONFIG\" > \"$RUNNER_TEMP/kubeconfig\"; export KUBECONFIG=\"$RUNNER_TEMP/kubeconfig\""
                .to_owned(),
        );
    }
    commands.extend(step.commands.iter().map(|command| line(command)));
    if !variables.is_empty() {
        out.push("        env:".to_owned());
        out.extend(variables);
    }
    out.push("        run: |".to_owned());
    out.extend(commands.into_iter().map(|command| format!("          {command}")));
    if step.name == "plan" && run.signed {
        out.push(format!(
            "          echo 'The plan waits for a signature: wharf approve {PLAN} --key KEY, then wharf deploy --env {} {PLAN}'",
            run.wanted.environment
        ));
    }
}

fn after(pipeline: &Pipeline, run: &Run, out: &mut Vec<String>) {
    let (name, reports) = (pipeline.own("wharf"), pipeline.at(REPORTS));
    out.extend([format!("      - uses: {UPLOAD}"), "        if: always()".to_owned(), "        with:".to_owned()]);
    out.extend([format!("          name: {name}-{}", run.name), "          path: |".to_owned(), format!("            {reports}/")]);
    out.extend(run.wanted.artefacts.iter().map(|artefact| format!("            {}", pipeline.at(artefact))));
    out.extend(pipeline.days.map(|days| format!("          retention-days: {}", days.min(RETENTION))));
    out.push("          if-no-files-found: ignore".to_owned());
    // Code scanning may be off for a repository; the files are in the artefact all the same.
    out.extend([format!("      - uses: {SARIF}"), format!("        if: always() && hashFiles('{reports}/*.sarif') != ''")]);
    out.extend(["        continue-on-error: true", "        with:"].map(str::to_owned));
    out.extend([format!("          sarif_file: {reports}"), format!("          category: {name}-{}", run.name)]);
}
