//! The instructions as types.

use crate::flags::Flag;
use crate::heredoc::Heredoc;
use crate::mount::Mount;
use crate::span::{Span, Word};

/// One instruction with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The keyword as written.
    pub keyword: Word,
    /// From the start of its first line to the end of its last, here-documents and the line break included.
    pub span: Span,
    /// The line of the keyword, from 1.
    pub line: u32,
    /// The whole logical line: keyword, flags and arguments, continuations and inner comments taken out.
    pub text: String,
    /// The arguments behind the flags, the same way.
    pub arguments: Word,
    /// The flags as written, wrong ones too.
    pub flags: Vec<Flag>,
    /// The here-documents in order.
    pub heredocs: Vec<Heredoc>,
    /// What it says.
    pub kind: Kind,
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `FROM`.
    From(From),
    /// `RUN`.
    Run(Run),
    /// `CMD`.
    Cmd(CommandLine),
    /// `ENTRYPOINT`.
    Entrypoint(CommandLine),
    /// `COPY`.
    Copy(Copy),
    /// `ADD`.
    Add(Add),
    /// `ENV`: keys and values are expanded one by one, none sees the others.
    Env(Vec<KeyValue>),
    /// `LABEL`: as `ENV`.
    Label(Vec<KeyValue>),
    /// `ARG`: names and defaults are expanded one by one, each sees those before.
    Arg(Vec<Argument>),
    /// `EXPOSE`: each word is expanded and split.
    Expose(Vec<Word>),
    /// `VOLUME`: each word is expanded.
    Volume(Vec<Word>),
    /// `USER`: expanded.
    User(Word),
    /// `WORKDIR`: expanded; may hold white space.
    Workdir(Word),
    /// `STOPSIGNAL`: expanded.
    Stopsignal(Word),
    /// `SHELL`: not expanded.
    Shell(Vec<String>),
    /// `HEALTHCHECK`: not expanded.
    Healthcheck(Healthcheck),
    /// `ONBUILD`: not expanded here, but when it is triggered.
    Onbuild(Onbuild),
    /// `MAINTAINER`.
    Maintainer(Word),
    /// Something that has an error of its own in [`crate::Parsed::errors`].
    Invalid,
}

/// `FROM [--platform=P] IMAGE [AS NAME]`; image and platform are expanded with the global arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// The image, another stage's name, or `scratch`.
    pub image: Word,
    /// The stage's name as written; stages are compared without case.
    pub name: Option<Word>,
    /// `--platform`.
    pub platform: Option<String>,
}

/// A command in one of its two forms. Not expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// The JSON form: program and arguments.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(Word),
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The command; where here-documents are, see [`Run::script`] for what the shell is to get.
    pub command: CommandLine,
    /// `--mount`, in order.
    pub mounts: Vec<Mount>,
    /// `--network`: `default`, `none` or `host`; expanded by nobody.
    pub network: Option<String>,
    /// `--security`: `sandbox` or `insecure`.
    pub security: Option<String>,
    /// `--device`, in order.
    pub devices: Vec<String>,
    /// The here-documents, in order.
    pub heredocs: Vec<Heredoc>,
}

/// What a `RUN` is to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// This program with these arguments, no shell.
    Exec(Vec<String>),
    /// This text by the stage's shell; here-documents are in it.
    Shell(String),
    /// This text is a program of its own: it starts with `#!`.
    File(String),
}

impl Run {
    /// What is to be executed, here-documents put where they belong.
    ///
    /// A line of nothing but `<<NAME` makes the body the script; else the bodies follow the line and the shell reads them.
    pub fn script(&self) -> Script {
        let line = match &self.command {
            CommandLine::Exec(arguments) => return Script::Exec(arguments.clone()),
            CommandLine::Shell(line) => line.text.as_str(),
        };
        if let ([only], Some(_)) = (self.heredocs.as_slice(), crate::heredoc::opening(line.trim())) {
            let body = only.content();
            return if body.starts_with("#!") { Script::File(body) } else { Script::Shell(body) };
        }
        let bodies = self.heredocs.iter().map(|heredoc| {
            let gap = if heredoc.body.is_empty() || heredoc.body.ends_with('\n') { "" } else { "\n" };
            format!("\n{}{gap}{}", heredoc.body, heredoc.name)
        });
        Script::Shell(std::iter::once(line.to_owned()).chain(bodies).collect())
    }
}

/// A source of `COPY` or `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path, pattern, address or repository; expanded, not split.
    Path(Word),
    /// A file made of a here-document.
    Heredoc(Heredoc),
}

/// `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// At least one.
    pub sources: Vec<Source>,
    /// Where to; expanded, not split.
    pub destination: Word,
    /// `--from`: a stage's name or number, a named context or an image; not expanded.
    pub from: Option<String>,
    /// `--chown`: expanded.
    pub chown: Option<String>,
    /// `--chmod`, octal or symbolic: expanded.
    pub chmod: Option<String>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`, in order: expanded.
    pub exclude: Vec<String>,
}

/// `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// At least one.
    pub sources: Vec<Source>,
    /// Where to; expanded, not split.
    pub destination: Word,
    /// `--chown`: expanded.
    pub chown: Option<String>,
    /// `--chmod`: expanded.
    pub chmod: Option<String>,
    /// `--link`.
    pub link: bool,
    /// `--exclude`, in order: expanded.
    pub exclude: Vec<String>,
    /// `--checksum`: expanded.
    pub checksum: Option<String>,
    /// `--keep-git-dir`; nothing where it is not written.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`; nothing where it is not written: then local archives are unpacked and remote ones not.
    pub unpack: Option<bool>,
}

/// A pair of `ENV` or `LABEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// As written; expanded.
    pub key: Word,
    /// As written, quotes in it; expanded.
    pub value: Word,
    /// Whether it stands in the old form, `KEY the whole rest`.
    pub legacy: bool,
}

/// A declaration of `ARG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// As written.
    pub name: Word,
    /// The default as written, quotes in it; expanded.
    pub default: Option<Word>,
}

/// `HEALTHCHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `NONE`: the base's check is switched off.
    None,
    /// `CMD`.
    Check {
        /// What decides.
        command: CommandLine,
        /// `--interval` as written, a Go duration.
        interval: Option<String>,
        /// `--timeout`.
        timeout: Option<String>,
        /// `--start-period`.
        start_period: Option<String>,
        /// `--start-interval`.
        start_interval: Option<String>,
        /// `--retries`.
        retries: Option<u32>,
    },
}

/// `ONBUILD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// What is kept in the image: the instruction as one logical line, here-documents behind it.
    pub expression: String,
    /// The instruction that is to run later.
    pub instruction: Box<Instruction>,
}
