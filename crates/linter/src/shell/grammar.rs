//! Lists, pipelines, compound and simple commands (POSIX XCU 2.9 and 2.10, with bash's additions).

use super::cursor::{Cursor, NoScript, Pending, Step};
use super::word::{Word, is_name};
use super::{Command, Script};

/// Words that end a list where a command could stand.
const CLOSERS: [&str; 9] = ["then", "elif", "else", "fi", "do", "done", "esac", "}", "in"];
/// Words before a command that do not change which command it is.
const PREFIXES: [&str; 3] = ["exec", "command", "builtin"];

pub(super) fn parse(text: &str) -> Step<Script> {
    let mut cursor = Cursor::new(text);
    list(&mut cursor)?;
    if cursor.rest().is_empty() { Ok(cursor.found) } else { Err(NoScript) }
}

/// A list up to the closing text, which is taken.
pub(super) fn list_until(cursor: &mut Cursor<'_>, close: &str) -> Step<()> {
    list(cursor)?;
    cursor.expect(close)
}

/// Commands separated by `;`, `&`, `&&`, `||` and line breaks, up to something that is none.
fn list(cursor: &mut Cursor<'_>) -> Step<()> {
    cursor.skip_lines();
    while pipeline(cursor)? {
        cursor.skip_blanks();
        if cursor.eat("&&") || cursor.eat("||") {
            cursor.skip_lines();
            if !starts_pipeline(cursor) {
                return Err(NoScript);
            }
        } else if cursor.rest().starts_with(";;") {
            return Ok(());
        } else if cursor.eat(";") || cursor.eat("&") || cursor.line_break() {
            cursor.skip_lines();
        } else {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether something stands here that a pipeline can start with.
fn starts_pipeline(cursor: &Cursor<'_>) -> bool {
    cursor.peek().is_some_and(|c| !matches!(c, ')' | ';' | '&' | '|')) && !at_closer(cursor)
}

fn at_closer(cursor: &Cursor<'_>) -> bool {
    CLOSERS.iter().any(|closer| keyword_here(cursor, closer))
}

/// Whether the reserved word stands here, whole and without quotes.
fn keyword_here(cursor: &Cursor<'_>, keyword: &str) -> bool {
    cursor.rest().strip_prefix(keyword).is_some_and(|rest| rest.chars().next().is_none_or(|c| " \t\r\n;&|()<>".contains(c)))
}

fn eat_keyword(cursor: &mut Cursor<'_>, keyword: &str) -> bool {
    keyword_here(cursor, keyword) && cursor.eat(keyword)
}

fn expect_keyword(cursor: &mut Cursor<'_>, keyword: &str) -> Step<()> {
    cursor.skip_lines();
    if eat_keyword(cursor, keyword) { Ok(()) } else { Err(NoScript) }
}

fn pipeline(cursor: &mut Cursor<'_>) -> Step<bool> {
    while eat_keyword(cursor, "!") || eat_keyword(cursor, "time") || eat_keyword(cursor, "coproc") {
        cursor.skip_blanks();
    }
    if !starts_pipeline(cursor) {
        return Ok(false);
    }
    loop {
        cursor.nested(command)?;
        cursor.skip_blanks();
        if cursor.rest().starts_with("||") || !cursor.eat("|") {
            return Ok(true);
        }
        cursor.eat("&");
        cursor.found.pipes = true;
        cursor.skip_lines();
        if !starts_pipeline(cursor) {
            return Err(NoScript);
        }
    }
}

fn command(cursor: &mut Cursor<'_>) -> Step<()> {
    if cursor.eat("((") {
        if cursor.skip_double_parenthesis() {
            return redirections(cursor);
        }
        return Err(NoScript);
    }
    if cursor.eat("(") {
        list_until(cursor, ")")?;
        return redirections(cursor);
    }
    for (keyword, read) in COMPOUNDS {
        if eat_keyword(cursor, keyword) {
            cursor.skip_blanks();
            read(cursor)?;
            return redirections(cursor);
        }
    }
    simple(cursor)
}

type Reader = fn(&mut Cursor<'_>) -> Step<()>;
const COMPOUNDS: [(&str, Reader); 9] = [
    ("{", group),
    ("if", conditional),
    ("while", repeated),
    ("until", repeated),
    ("for", iteration),
    ("select", iteration),
    ("case", choice),
    ("[[", test),
    ("function", function),
];

fn group(cursor: &mut Cursor<'_>) -> Step<()> {
    list(cursor)?;
    expect_keyword(cursor, "}")
}

fn conditional(cursor: &mut Cursor<'_>) -> Step<()> {
    list(cursor)?;
    expect_keyword(cursor, "then")?;
    list(cursor)?;
    while eat_keyword(cursor, "elif") {
        list(cursor)?;
        expect_keyword(cursor, "then")?;
        list(cursor)?;
    }
    if eat_keyword(cursor, "else") {
        list(cursor)?;
    }
    expect_keyword(cursor, "fi")
}

fn repeated(cursor: &mut Cursor<'_>) -> Step<()> {
    list(cursor)?;
    body(cursor)
}

fn body(cursor: &mut Cursor<'_>) -> Step<()> {
    expect_keyword(cursor, "do")?;
    list(cursor)?;
    expect_keyword(cursor, "done")
}

fn iteration(cursor: &mut Cursor<'_>) -> Step<()> {
    if cursor.eat("((") {
        if !cursor.skip_double_parenthesis() {
            return Err(NoScript);
        }
    } else {
        cursor.word()?.ok_or(NoScript)?;
        cursor.skip_lines();
        if eat_keyword(cursor, "in") {
            cursor.skip_blanks();
            while cursor.word()?.is_some() {
                cursor.skip_blanks();
            }
        }
    }
    cursor.skip_blanks();
    cursor.eat(";");
    body(cursor)
}

fn choice(cursor: &mut Cursor<'_>) -> Step<()> {
    cursor.word()?.ok_or(NoScript)?;
    expect_keyword(cursor, "in")?;
    cursor.skip_lines();
    while !eat_keyword(cursor, "esac") {
        cursor.eat("(");
        loop {
            cursor.skip_blanks();
            cursor.word()?.ok_or(NoScript)?;
            cursor.skip_blanks();
            if !cursor.eat("|") {
                break;
            }
        }
        cursor.expect(")")?;
        list(cursor)?;
        cursor.skip_lines();
        if !(cursor.eat(";;&") || cursor.eat(";;") || cursor.eat(";&") || keyword_here(cursor, "esac")) {
            return Err(NoScript);
        }
        cursor.skip_lines();
    }
    Ok(())
}

/// `[[ expression ]]`: operators of commands mean something else here.
fn test(cursor: &mut Cursor<'_>) -> Step<()> {
    loop {
        cursor.skip_lines();
        if eat_keyword(cursor, "]]") {
            return Ok(());
        }
        if cursor.word()?.is_none() && cursor.next().is_none() {
            return Err(NoScript);
        }
    }
}

fn function(cursor: &mut Cursor<'_>) -> Step<()> {
    cursor.word()?.ok_or(NoScript)?;
    cursor.skip_blanks();
    if cursor.eat("(") {
        cursor.skip_blanks();
        cursor.expect(")")?;
    }
    cursor.skip_lines();
    cursor.nested(command)
}

fn simple(cursor: &mut Cursor<'_>) -> Step<()> {
    let mut words: Vec<Word> = Vec::new();
    let mut any = false;
    loop {
        cursor.skip_blanks();
        if redirection(cursor)? {
            any = true;
        } else if let Some(word) = cursor.word()? {
            words.push(word);
        } else {
            break;
        }
    }
    cursor.skip_blanks();
    if let ([name], true) = (words.as_slice(), cursor.rest().starts_with('('))
        && !name.quoted
        && !name.text.is_empty()
    {
        cursor.eat("(");
        cursor.skip_blanks();
        cursor.expect(")")?;
        cursor.skip_lines();
        return cursor.nested(command);
    }
    if words.is_empty() && !any {
        return Err(NoScript);
    }
    if !words.is_empty() {
        cursor.found.commands.push(assemble(words));
    }
    Ok(())
}

fn assemble(words: Vec<Word>) -> Command {
    let mut command = Command::default();
    let mut words = words.into_iter().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| assignment(&word.text)) {
        command.assignments.push((name.to_owned(), value.to_owned()));
        words.next();
    }
    let mut rest: Vec<String> = words.map(|word| word.text).collect();
    while rest.len() > 1 && rest.first().is_some_and(|word| PREFIXES.contains(&word.as_str())) {
        rest.remove(0);
    }
    let mut rest = rest.into_iter();
    command.name = rest.next().unwrap_or_default();
    command.arguments = rest.collect();
    command
}

/// `NAME=value`, `NAME+=value` or `NAME[i]=value`.
pub(super) fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split('[').next().unwrap_or_default();
    is_name(name).then_some((name, value))
}

/// Redirections behind a compound command.
fn redirections(cursor: &mut Cursor<'_>) -> Step<()> {
    loop {
        cursor.skip_blanks();
        if !redirection(cursor)? {
            return Ok(());
        }
    }
}

fn redirection(cursor: &mut Cursor<'_>) -> Step<bool> {
    let start = cursor.position();
    while cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        cursor.next();
    }
    let substitutes = cursor.rest().starts_with("<(") || cursor.rest().starts_with(">(");
    let both = cursor.position() == start && (cursor.eat("&>>") || cursor.eat("&>"));
    if !both && (substitutes || !cursor.peek().is_some_and(|c| c == '<' || c == '>')) {
        cursor.go_to(start);
        return Ok(false);
    }
    let heredoc = cursor.rest().starts_with("<<") && !cursor.rest().starts_with("<<<");
    if heredoc {
        cursor.eat("<<");
        let tabs = cursor.eat("-");
        cursor.skip_blanks();
        let delimiter = cursor.word()?.ok_or(NoScript)?.text;
        cursor.pending.push(Pending { delimiter, tabs });
        return Ok(true);
    }
    if !both {
        let _ = ["<<<", ">>", ">|", ">&", "<&", "<>", ">", "<"].iter().any(|operator| cursor.eat(operator));
    }
    cursor.skip_blanks();
    cursor.word()?.ok_or(NoScript)?;
    Ok(true)
}
