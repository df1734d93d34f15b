//! The repository's own text files, and a Rust file seen twice: its code without comments
//! and literals, and its comments alone. Both views keep every line where it was. Not a
//! parser: just enough of one for rules about words and braces.

use super::relative;
use crate::runner::Failure;
use std::fs;
use std::path::Path;

/// What rules look at.
const EXTENSIONS: [&str; 8] = ["rs", "ts", "mts", "cts", "js", "mjs", "cjs", "md"];
/// Never ours: built, installed or generated.
const SKIPPED: [&str; 4] = ["target", "node_modules", "dist", "failures"];

/// One file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Comments and the insides of literals blanked out (Rust only, else the text).
    pub(crate) code: String,
    /// Everything but comments blanked out (Rust only, else the text).
    pub(crate) comments: String,
}

impl SourceFile {
    /// Look at a text.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let (code, comments) =
            if is_rust(&path) { split(&text) } else { (text.clone(), text.clone()) };
        Self { path, text, code, comments }
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        is_rust(&self.path)
    }

    /// Whether it is npm's lock file.
    pub(crate) fn is_npm_lock(&self) -> bool {
        self.path.ends_with("package-lock.json")
    }

    /// Number of lines.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// Every file that a rule may look at, sorted by path.
pub(crate) fn load(root: &Path) -> Result<Vec<SourceFile>, Failure> {
    let mut files = Vec::new();
    walk(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<SourceFile>) -> Result<(), Failure> {
    let io = |error| Failure::io(dir.display().to_string(), error);
    for entry in fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files)?;
        } else if is_source(&path) || name == "package-lock.json" {
            let text = fs::read_to_string(&path)
                .map_err(|error| Failure::io(path.display().to_string(), error))?;
            files.push(SourceFile::new(relative(root, &path), text));
        }
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|ours| extension == *ours))
}

/// What the reader is inside of.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// The code view and the comment view of a Rust text.
fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, length) = step(&chars, at, inside);
        let comment = [inside, next]
            .iter()
            .any(|i| matches!(i, Inside::LineComment | Inside::BlockComment(_)));
        let plain = inside == Inside::Code && next == Inside::Code;
        for &c in &chars[at..(at + length).min(chars.len())] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            // A character literal is a step of its own; its inside is no code.
            code.push(if plain && length == 1 { c } else { blank });
            comments.push(if comment { c } else { blank });
        }
        at += length;
        inside = next;
    }
    (code, comments)
}

/// One step: what we are inside of after it, and how many characters it takes.
fn step(chars: &[char], at: usize, inside: Inside) -> (Inside, usize) {
    let here = chars[at];
    let after = chars.get(at + 1).copied();
    match inside {
        Inside::Code => match (here, after) {
            ('/', Some('/')) => (Inside::LineComment, 2),
            ('/', Some('*')) => (Inside::BlockComment(1), 2),
            ('"', _) => (Inside::Text, 1),
            ('\'', _) => (Inside::Code, char_literal(&chars[at..])),
            ('r', _) => raw_start(chars, at).unwrap_or((Inside::Code, 1)),
            _ => (Inside::Code, 1),
        },
        Inside::LineComment if here == '\n' => (Inside::Code, 1),
        Inside::LineComment => (Inside::LineComment, 1),
        Inside::BlockComment(depth) => match (here, after) {
            ('*', Some('/')) if depth == 1 => (Inside::Code, 2),
            ('*', Some('/')) => (Inside::BlockComment(depth - 1), 2),
            ('/', Some('*')) => (Inside::BlockComment(depth + 1), 2),
            _ => (inside, 1),
        },
        Inside::Text => match here {
            '\\' => (Inside::Text, 2),
            '"' => (Inside::Code, 1),
            _ => (Inside::Text, 1),
        },
        Inside::RawText(hashes) => {
            let close = here == '"' && chars[at + 1..].iter().take(hashes).all(|c| *c == '#');
            let room = chars.len() - at > hashes;
            if close && room { (Inside::Code, 1 + hashes) } else { (inside, 1) }
        }
    }
}

/// The length of a character literal, or 1 for a lifetime's apostrophe.
fn char_literal(chars: &[char]) -> usize {
    match chars {
        ['\'', '\\', rest @ ..] => {
            let close = rest.iter().skip(1).position(|c| *c == '\'');
            close.map_or(1, |close| close + 4)
        }
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// `r"`, `r#"`, … that is not the end of a longer name.
fn raw_start(chars: &[char], at: usize) -> Option<(Inside, usize)> {
    let before = at.checked_sub(1).map(|before| chars[before]);
    if before.is_some_and(|c| (c.is_alphanumeric() || c == '_') && c != 'b') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some((Inside::RawText(hashes), hashes + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        SourceFile::new("a.rs", text).code
    }

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text =
            "let a = \"x{\\\"\"; // {\n/* { /* { */\n */ let b = '{'; let c = r#\"}\"{\"#;\n";
        let code = code(text);
        assert!(!code.contains(['{', '}']), "{code}");
        assert!(code.contains("let b") && code.contains("let c"), "{code}");
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_are_not_character_literals() {
        assert_eq!(code("fn f<'a>(x: &'a str) { '\\'' }").matches(['{', '}']).count(), 2);
    }

    #[test]
    fn the_comment_view_has_comments_alone() {
        let file = SourceFile::new("a.rs", "let a = \"word\"; // a word\n/* more */ let b;\n");
        assert!(file.comments.contains("a word") && file.comments.contains("more"));
        assert_eq!(file.comments.matches("word").count(), 1);
        assert!(!file.comments.contains("let"));
    }
}
