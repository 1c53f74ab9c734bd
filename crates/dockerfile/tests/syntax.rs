//! Every piece of today's syntax parses, and means what BuildKit takes it for.

use dockerfile::{CommandLine, Healthcheck, Instruction, Item, Kind, MountKind, Parsed, Script, Sharing, Source, parse};

fn clean(source: &str) -> Parsed {
    let parsed = parse(source);
    assert_eq!(parsed.errors, [], "{source}");
    assert_eq!(parsed.to_source(), source);
    parsed
}

fn nth(parsed: &Parsed, index: usize) -> &Instruction {
    parsed.instructions().nth(index).expect("an instruction")
}

fn messages(source: &str) -> Vec<String> {
    let parsed = parse(source);
    assert_eq!(parsed.to_source(), source);
    parsed.errors.iter().map(ToString::to_string).collect()
}

#[test]
fn directives_stand_at_the_top_only() {
    let parsed = clean("# syntax = docker/dockerfile:1\n# check=skip=all\n# escape=`\nFROM a\nRUN one `\n two\n# syntax=late\n");
    assert_eq!(parsed.directive("syntax"), Some("docker/dockerfile:1"));
    assert_eq!(parsed.directive("check"), Some("skip=all"));
    assert_eq!(parsed.escape, '`');
    assert_eq!(nth(&parsed, 1).text, "RUN one  two");
    assert_eq!(parsed.items.iter().filter(|item| matches!(item, Item::Directive(_))).count(), 3);
    let late = clean("# a comment\n# escape=`\nFROM a\n");
    assert_eq!(late.escape, '\\');
    assert!(messages("# escape=x\nFROM a\n")[0].contains("cannot be the escape character"));
}

#[test]
fn continuations_swallow_comments_and_empty_lines() {
    let parsed = clean("FROM a\nRUN one && \\\n  # why\n\n\\\n  two \\  \n  three\nUSER x\n");
    let run = nth(&parsed, 1);
    assert_eq!(run.text, "RUN one &&   two   three");
    assert_eq!((run.line, nth(&parsed, 2).line), (2, 8));
    assert_eq!(parsed.comments()[0].text, "why");
    assert_eq!(clean("FROM a\r\nRUN b \\\r\n c\r\n").instructions().count(), 2);
    assert_eq!(nth(&clean("FROM a\nRUN echo \\\\\nRUN b"), 1).text, "RUN echo \\\\");
    assert_eq!(clean("\u{feff}FROM a\n").instructions().count(), 1);
    assert_eq!(clean("FROM a\nRUN b \\").instructions().count(), 2);
}

#[test]
fn flags_are_typed() {
    let parsed = clean(concat!(
        "FROM --platform=$BUILDPLATFORM golang:1 AS Build\n",
        "COPY --from=build --chown=1:2 --chmod=u+x --link --parents --exclude=a --exclude=b x y /z/\n",
        "ADD --keep-git-dir=true --checksum=sha256:00 --unpack=false --link=false https://e/x /y\n",
        "RUN --mount=type=cache,target=/c,sharing=locked,uid=1000 --mount=type=secret,id=s,env=S,required --network=none --security=insecure --device=gpu x\n",
        "RUN --mount=type=bind,from=build,source=/a,target=/b,rw --mount=from=build --mount=type=tmpfs,target=/t,size=64m --mount=type=ssh y\n",
        "HEALTHCHECK --interval=5s --timeout=1m --start-period=1s --start-interval=1s --retries=3 CMD [\"x\"]\n",
    ));
    let stages = parsed.stages();
    assert_eq!(stages.stages[0].name().as_deref(), Some("build"));
    assert_eq!(stages.stages[0].from.platform.as_deref(), Some("$BUILDPLATFORM"));
    let Kind::Copy(copy) = &nth(&parsed, 1).kind else { panic!("copy") };
    assert_eq!((copy.sources.len(), copy.link, copy.parents, copy.exclude.len()), (2, true, true, 2));
    let Kind::Add(add) = &nth(&parsed, 2).kind else { panic!("add") };
    assert_eq!((add.keep_git_dir, add.unpack, add.link), (Some(true), Some(false), false));
    let Kind::Run(run) = &nth(&parsed, 3).kind else { panic!("run") };
    assert_eq!((run.mounts[0].kind, run.mounts[0].sharing, run.mounts[0].read_only), (MountKind::Cache, Some(Sharing::Locked), false));
    assert!(run.mounts[1].required && run.mounts[1].read_only);
    assert_eq!(run.arguments_text(), "x");
    let Kind::Run(run) = &nth(&parsed, 4).kind else { panic!("run") };
    assert!(!run.mounts[0].read_only);
    let Kind::Healthcheck(Healthcheck::Check { retries, command, .. }) = &nth(&parsed, 5).kind else { panic!("check") };
    assert_eq!((*retries, command), (Some(3), &CommandLine::Exec(vec!["x".to_owned()])));
}

trait ArgumentsText {
    fn arguments_text(&self) -> &str;
}

impl ArgumentsText for dockerfile::Run {
    fn arguments_text(&self) -> &str {
        match &self.command {
            CommandLine::Shell(word) => &word.text,
            CommandLine::Exec(_) => "",
        }
    }
}

#[test]
fn heredocs_of_every_kind() {
    let parsed = clean(concat!(
        "FROM a\n",
        "RUN <<EOF\necho one\nRUN no instruction\nEOF\n",
        "RUN <<-'X' cat > /f && cat 3<<Y\n\tone $A\n\tX\ntwo\nY\n",
        "COPY <<one.txt <<\"two.txt\" plain /d/\n1\none.txt\n2\ntwo.txt\n",
        "RUN <<EOF\n#!/usr/bin/env python3\nprint(1)\nEOF\n",
        "ONBUILD RUN <<EOF\nlate\nEOF\n",
        "RUN cat <<<here\nRUN echo $((1<<2))\nRUN [\"a\", \"<<EOF\"]\n",
    ));
    assert_eq!(parsed.instructions().count(), 9);
    let scripts: Vec<Script> =
        parsed.instructions().filter_map(|i| if let Kind::Run(run) = &i.kind { Some(run.script()) } else { None }).collect();
    assert_eq!(scripts[0], Script::Shell("echo one\nRUN no instruction\n".to_owned()));
    assert_eq!(scripts[1], Script::Shell("<<-'X' cat > /f && cat 3<<Y\n\tone $A\nX\ntwo\nY".to_owned()));
    assert!(matches!(&scripts[2], Script::File(text) if text.starts_with("#!/usr/bin/env python3\n")));
    let Kind::Run(run) = &nth(&parsed, 2).kind else { panic!("run") };
    assert_eq!((run.heredocs[0].expand, run.heredocs[0].chomp, run.heredocs[1].descriptor), (false, true, Some(3)));
    assert_eq!(run.heredocs[0].content(), "one $A\n");
    let Kind::Copy(copy) = &nth(&parsed, 3).kind else { panic!("copy") };
    let [Source::Heredoc(one), Source::Heredoc(two), Source::Path(plain)] = copy.sources.as_slice() else { panic!("{copy:?}") };
    assert_eq!((one.body.as_str(), one.expand, two.body.as_str(), two.expand, plain.text.as_str()), ("1\n", true, "2\n", false, "plain"));
    let Kind::Onbuild(onbuild) = &nth(&parsed, 5).kind else { panic!("onbuild") };
    assert_eq!(onbuild.expression, "RUN <<EOF\nlate\nEOF");
    assert!(matches!(&onbuild.instruction.kind, Kind::Run(run) if run.heredocs.len() == 1));
}

#[test]
fn forms_and_pairs() {
    let parsed = clean(concat!(
        "ARG A=1 B C=\"x y\"\nFROM a\n",
        "ENV K the whole  rest\nENV A=1 B=\"two words\" C=a\\ b\nLABEL \"a.b\"='c d'\n",
        "CMD [ \"a\", \"b\\n\" ]\nENTRYPOINT [ -f x ] && y\nSHELL [\"bash\", \"-c\"]\nVOLUME /a /b\nVOLUME [\"/c d\"]\n",
        "EXPOSE 80 53/udp 1-2/TCP $P\nHEALTHCHECK NONE\nONBUILD COPY . /x\nMAINTAINER me <m@e>\nSTOPSIGNAL 9\nUSER a:b\nWORKDIR /a b\nCMD\n",
    ));
    let Kind::Arg(arguments) = &nth(&parsed, 0).kind else { panic!("arg") };
    assert_eq!(arguments[2].default.as_ref().map(|word| word.text.as_str()), Some("\"x y\""));
    let Kind::Env(pairs) = &nth(&parsed, 2).kind else { panic!("env") };
    assert_eq!((pairs[0].value.text.as_str(), pairs[0].legacy), ("the whole  rest", true));
    let Kind::Env(pairs) = &nth(&parsed, 3).kind else { panic!("env") };
    assert_eq!(pairs.iter().map(|pair| pair.value.text.as_str()).collect::<Vec<_>>(), ["1", "\"two words\"", "a\\ b"]);
    assert_eq!(nth(&parsed, 5).kind, Kind::Cmd(CommandLine::Exec(vec!["a".to_owned(), "b\n".to_owned()])));
    assert!(matches!(&nth(&parsed, 6).kind, Kind::Entrypoint(CommandLine::Shell(word)) if word.text == "[ -f x ] && y"));
    assert!(matches!(&nth(&parsed, 9).kind, Kind::Volume(paths) if paths.len() == 1 && paths[0].text == "/c d"));
    assert!(matches!(&nth(&parsed, 16).kind, Kind::Workdir(path) if path.text == "/a b"));
}

#[test]
fn all_errors_at_once_each_with_its_place() {
    let found = messages(concat!(
        "RUN early\nFORM a\nFROM a b\nCOPY --frm=x a /b\nCOPY one\nADD --link=maybe a /b\n",
        "RUN --mount=type=cach,target=/x y\nENV a=b c\nCMD [1]\nSHELL sh\nONBUILD FROM x\nHEALTHCHECK maybe\nRUN --network=lan x\n  RUN --mount=type=secret y\nRUN <<EOF\nx\n",
    ));
    let expected = [
        "1:1: RUN stands before the first FROM",
        "2:1: `FORM` is no instruction; did you mean `FROM`?",
        "3:8: behind its image",
        "4:6: COPY has no flag `--frm`; did you mean `--from`?",
        "5:6: COPY has one path only",
        "6:5: the flag `--link` takes true or false",
        "7:5: `cach` is no type of mount; did you mean `cache`?",
        "8:9: `c` has no equals sign",
        "9:5: the JSON form takes strings only",
        "10:7: SHELL takes its arguments in JSON form",
        "11:9: ONBUILD FROM is not allowed",
        "12:13: HEALTHCHECK has no form `maybe`",
        "13:5: the flag `--network` takes default, none, host",
        "14:7: a secret mount needs an `id`",
        "15:1: the here-document `EOF` is not closed",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert!(messages("")[0].contains("there is no FROM"));
}

#[test]
fn an_unclosed_heredoc_hides_nothing_behind_it() {
    let parsed = parse("FROM a\nRUN <<EOF\necho\nUSER x\nFORM y\n");
    assert_eq!(parsed.errors.len(), 2);
    assert!(parsed.instructions().any(|instruction| matches!(instruction.kind, Kind::User(_))));
}

#[test]
fn hostile_sizes_stay_linear() {
    let many: String = (0..20_000).map(|n| format!("RUN <<A{n}\n")).collect();
    assert!(parse(&many).errors.len() <= 101);
    assert!(parse(&format!("FROM a\nCMD {}", "[".repeat(200_000))).errors.is_empty());
    assert!(parse(&format!("FROM a\n{}", "ONBUILD ".repeat(100_000))).errors.len() == 1);
}
