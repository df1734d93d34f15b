//! SQL is constant text, and what users give is bound to it: in the stores nothing is put
//! together that reads like a statement, but by the one file that quotes a schema's name. The
//! compiler holds most of it (`Sql` takes `&'static str`, sqlx `SqlSafeStr`); this rule
//! closes the ways around.

use super::Finding;
use super::source::SourceFile;

/// Folders the rule is about. Tests below them may write what they like.
const ROOMS: [&str; 2] = ["providers/sqlite/src/", "providers/postgres/src/"];
const TESTS: &str = "/tests.rs";
/// Quotes the name of a schema, and vouches for the outcome.
const QUOTER: &str = "providers/postgres/src/schema.rs";
/// Pass on text that their types, or a constant, make constant.
const PASSERS: [&str; 2] =
    ["providers/sqlite/src/store/sql.rs", "providers/sqlite/src/store/schema.rs"];
/// What makes text that is not constant pass for it.
const VOUCHERS: [&str; 4] = ["AssertSqlSafe", ".leak()", "Box::leak", "String::leak"];
/// What puts statements together, or runs any text, of sqlx.
const BUILDERS: [&str; 3] = ["QueryBuilder", "copy_in_raw", "copy_out_raw"];
/// What puts text together.
const MAKERS: [&str; 4] = ["format!(", "format_args!(", "write!(", "writeln!("];
/// What runs any text, of rusqlite.
const RUNNERS: [&str; 6] = [
    ".execute_batch(",
    ".prepare(",
    ".prepare_cached(",
    ".prepare_with_flags(",
    ".query_one(",
    ".query_row(",
];
/// This too, unless what it runs is prepared: then it begins with the parameters.
const EXECUTE: &str = ".execute(";
/// How statements begin.
const VERBS: [&str; 26] = [
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "CALL",
    "COMMIT",
    "COPY",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "EXPLAIN",
    "GRANT",
    "INSERT",
    "LISTEN",
    "LOCK",
    "NOTIFY",
    "PRAGMA",
    "RELEASE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "UPDATE",
    "VACUUM",
    "WITH",
];

/// The rule.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let in_room = ROOMS.iter().any(|room| file.path.starts_with(room));
    if !file.is_rust() || !in_room || file.path.ends_with(TESTS) || file.path == QUOTER {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for voucher in VOUCHERS {
        for (line, _) in places(file, voucher) {
            let what = format!("`{voucher}`: only {QUOTER} vouches for SQL");
            findings.push(Finding::at_line(file, line, what));
        }
    }
    for builder in BUILDERS {
        for (line, _) in places(file, builder) {
            let what = format!("`{builder}` takes any text: write the statement out, and bind");
            findings.push(Finding::at_line(file, line, what));
        }
    }
    for maker in MAKERS {
        for (line, argument) in places(file, maker) {
            let text = argument.split_once('"').map_or("", |(_, text)| text);
            if VERBS.contains(&first_word(text)) {
                let what = "SQL is put together: bind what is not constant".to_owned();
                findings.push(Finding::at_line(file, line, what));
            }
        }
    }
    if !PASSERS.contains(&file.path.as_str()) {
        for runner in RUNNERS {
            for (line, argument) in places(file, runner) {
                if !argument.trim_start().starts_with('"') {
                    let what = format!("`{runner}…)` runs text that is not written there");
                    findings.push(Finding::at_line(file, line, what));
                }
            }
        }
        for (line, argument) in places(file, EXECUTE) {
            let bound = argument.trim_start().starts_with(['"', '[', '(']);
            if file.path.starts_with(ROOMS[0]) && !bound {
                let what = format!("`{EXECUTE}…)` runs text that is not written there");
                findings.push(Finding::at_line(file, line, what));
            }
        }
    }
    findings
}

/// Where this stands in code: the line, and the text behind it.
fn places(file: &SourceFile, what: &str) -> Vec<(usize, String)> {
    let text: Vec<char> = file.text.chars().collect();
    let found = file.code.match_indices(what).filter(|(at, _)| {
        // `rewrite!(` is not `write!(`.
        let before = file.code[..*at].chars().next_back().unwrap_or(' ');
        what.starts_with('.') || !(before.is_alphanumeric() || before == '_')
    });
    let place = |(at, _): (usize, &str)| {
        let before = &file.code[..at];
        // Both views have the same characters in the same places, if not the same bytes.
        let behind = before.chars().count() + what.chars().count();
        let line = before.matches('\n').count() + 1;
        (line, text.iter().skip(behind).take(200).collect())
    };
    found.map(place).collect()
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    let end = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
    // `SELECTED` and `Do` are words, `DO` alone and `BEGIN;` are not.
    if text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        ""
    } else {
        &text[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn sql_that_is_put_together_is_found_in_both_stores() {
        for bad in [
            "let q = format!(\"SELECT x FROM t WHERE id = '{id}'\");",
            "let q = format!(\n    \"\n  DELETE FROM {table}\");",
            "write!(q, \"INSERT INTO t VALUES ({value})\")?;",
            "let q = format!(\"BEGIN; {rest}\");",
            "let ü = format!(\"SET search_path = {schema}\");",
            "sqlx::query(AssertSqlSafe(text))",
            "let text: &'static str = text.leak();",
            "sql.run(Box::leak(text), [])?;",
            "sql.run(String::leak(text), [])?;",
            "QueryBuilder::new(text).push(id).build()",
            "sql.copy_in_raw(&text).await?;",
            "sql.query_one(&text, [], |row| row.get(0))?;",
            "sql.execute_batch(&text)?;",
            "sql.prepare(text)?;",
            "sql.query_row(\n    &format!(\"{a}{b}\"), [], |row| row.get(0))?;",
        ] {
            for room in ROOMS {
                assert_eq!(found(&format!("{room}a.rs"), bad), 1, "{bad}");
            }
            for elsewhere in ["providers/sqlite/tests/a.rs", "providers/sqlite/src/tests.rs"] {
                assert_eq!(found(elsewhere, bad), 0, "{bad}");
            }
        }
    }

    #[test]
    fn text_that_rusqlite_executes_is_found_and_executors_of_sqlx_are_not() {
        for bad in ["sql.execute(&(head + id), [])?;", "sql.execute(\n    text, (id,))?;"] {
            assert_eq!(found("providers/sqlite/src/a.rs", bad), 1, "{bad}");
        }
        for (path, good) in [
            ("providers/sqlite/src/a.rs", "commit.execute([])?;"),
            ("providers/sqlite/src/a.rs", "sql.execute(\"DELETE FROM t\", [])?;"),
            ("providers/postgres/src/a.rs", "query.execute(&mut *transaction).await?;"),
        ] {
            assert_eq!(found(path, good), 0, "{good}");
        }
    }

    #[test]
    fn constant_sql_and_other_text_are_not() {
        for good in [
            "sql.execute_batch(\"BEGIN IMMEDIATE\")?;",
            "sql.run(\"SELECT x FROM t WHERE id = ?1\", [id])?;",
            "sql.query_row(\n    \"SELECT 1\", [], |row| row.get(0))?;",
            "let m = format!(\"Selected {n} rows\");",
            "let m = format!(\"{n} UPDATE\");",
            "let m = format!(\"DONE {n}\");",
            "// format!(\"SELECT {x}\")\n",
            "let t = \"AssertSqlSafe\";",
        ] {
            assert_eq!(found("providers/sqlite/src/a.rs", good), 0, "{good}");
        }
    }

    #[test]
    fn the_one_who_quotes_a_schema_may() {
        assert_eq!(found(QUOTER, "AssertSqlSafe(format!(\"CREATE SCHEMA {quoted}\"))"), 0);
    }
}
