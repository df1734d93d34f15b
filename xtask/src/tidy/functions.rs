//! A Rust function fits a screen.

use super::Finding;
use super::source::SourceFile;

/// From `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    functions(&file.code)
        .into_iter()
        .filter(|function| function.lines > FUNCTION_LINES)
        .map(|function| {
            let Function { name, line, lines } = function;
            let what = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES}: split it");
            Finding::at_line(file, line, what)
        })
        .collect()
}

struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// Functions with a body, nested ones too.
fn functions(code: &str) -> Vec<Function<'_>> {
    code.match_indices("fn ")
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .filter_map(|(at, _)| {
            let rest = &code[at..];
            let name = rest[3..].split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            let line = code[..at].matches('\n').count() + 1;
            Some(Function { name, line, lines: rest[..body_end(rest)?].matches('\n').count() + 1 })
        })
        .collect()
}

/// Where the body of the function that begins here ends; `None` if it has none.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(lines: usize) -> String {
        format!(
            "impl A {{\n    fn long(a: [u8; 2]) {{\n{}    }}\n}}\n",
            "        work();\n".repeat(lines)
        )
    }

    #[test]
    fn a_long_function_is_found_with_its_line() {
        let found = check(&SourceFile::new("a.rs", long(69)));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "a.rs:2");
        assert!(check(&SourceFile::new("a.rs", long(68))).is_empty());
    }

    #[test]
    fn a_signature_without_a_body_is_no_function() {
        let text = format!("trait A {{ fn a(&self); }}\n{}", "struct B {}\n".repeat(100));
        assert!(check(&SourceFile::new("a.rs", text)).is_empty());
    }

    #[test]
    fn braces_in_literals_do_not_count() {
        let text = format!("fn a() {{ let b = \"{{\"; }}\n{}", "struct B {}\n".repeat(100));
        assert!(check(&SourceFile::new("a.rs", text)).is_empty());
    }
}
