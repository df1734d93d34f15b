//! The name of the schema that a store lives in, and statements with that name in them. Not
//! here: the tables (`sql`), and how they come to be (`migrate`).

use crate::error::{Result, StoreError};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands for the quoted schema in the text of a statement.
const PLACE: &str = "{schema}";
/// The same, between apostrophes.
const PLACE_IN_TEXT: &str = "{schema_text}";

/// What stands around the bodies of functions.
const BODY: &str = "$duroxide$";

/// A schema's name, valid and quoted.
#[derive(Debug)]
pub(crate) struct Schema {
    name: String,
    quoted: String,
    /// Each statement with the schema put in, made once.
    statements: Mutex<BTreeMap<&'static str, Arc<str>>>,
}

impl Schema {
    /// Check a name that a user wrote. It is taken as it is, upper case and all.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let wrong = |what: String| {
            Err(StoreError::Unusable(format!(
                "schema {name:?} {what}; expected a name of 1 to 63 bytes that does not begin with pg_"
            )))
        };
        if name.is_empty() {
            return wrong("is empty".to_owned());
        }
        if name.len() > 63 {
            return wrong(format!("has {} bytes", name.len()));
        }
        if name.contains('\0') {
            return wrong("contains a NUL".to_owned());
        }
        if name.contains(BODY) {
            return wrong(format!("contains {BODY}, which the store's functions are quoted by"));
        }
        if name.starts_with("pg_") || name == "information_schema" {
            return wrong("is reserved by PostgreSQL".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            quoted: format!("\"{}\"", name.replace('"', "\"\"")),
            statements: Mutex::default(),
        })
    }

    /// As the user wrote it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A statement of ours for this schema. The text is static: nothing else gets into it.
    pub(crate) fn sql(&self, text: &'static str) -> SqlStr {
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        let made = statements.entry(text).or_insert_with(|| self.put_into(text).into());
        AssertSqlSafe(Arc::clone(made)).into_sql_str()
    }

    /// A script of ours for this schema, to be run once. Without its comments: a name with a
    /// line break in it would end one.
    pub(crate) fn script(&self, text: &'static str) -> SqlStr {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
        let code = code.collect::<Vec<_>>().join("\n");
        AssertSqlSafe(self.put_into(&code)).into_sql_str()
    }

    /// In one pass: the name itself may have something in it that looks like a place.
    fn put_into(&self, text: &str) -> String {
        let quoted_in_text = self.quoted.replace('\'', "''");
        let (mut made, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            made.push_str(before);
            rest = if let Some(rest) = from.strip_prefix(PLACE) {
                made.push_str(&self.quoted);
                rest
            } else if let Some(rest) = from.strip_prefix(PLACE_IN_TEXT) {
                made.push_str(&quoted_in_text);
                rest
            } else {
                made.push('{');
                &from[1..]
            };
        }
        made + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::{FUNCTIONS, MIGRATIONS};

    fn scripts() -> impl Iterator<Item = &'static str> {
        MIGRATIONS.into_iter().chain(FUNCTIONS)
    }

    #[test]
    fn no_comment_beside_code_has_the_name_in_it() {
        for line in scripts().flat_map(str::lines) {
            let comment = line.split_once("--").filter(|(code, _)| !code.trim().is_empty());
            assert!(comment.is_none_or(|(_, comment)| !comment.contains("{schema")), "{line}");
        }
    }

    #[test]
    fn no_body_is_quoted_by_anything_but_what_no_name_has() {
        for script in scripts() {
            let code = script.lines().filter(|line| !line.trim_start().starts_with("--"));
            let rest = code.collect::<Vec<_>>().join("\n").replace(BODY, "").replace("{schema", "");
            let quote = rest
                .split('$')
                .skip(1)
                .find(|after| !after.starts_with(|c: char| c.is_ascii_digit()));
            assert_eq!(quote, None);
        }
    }

    #[test]
    fn a_name_is_quoted_whatever_is_in_it() {
        for (name, text) in [
            ("public", r#"SELECT "public".f()"#),
            ("Orders", r#"SELECT "Orders".f()"#),
            (r#"a"; DROP TABLE x; --"#, r#"SELECT "a""; DROP TABLE x; --".f()"#),
            ("日本", r#"SELECT "日本".f()"#),
        ] {
            let schema = Schema::parse(name).unwrap();
            assert_eq!(schema.sql("SELECT {schema}.f()").as_str(), text);
            assert_eq!(schema.sql("SELECT {schema}.f()").as_str(), text, "the second time");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_place_of_a_name_stays_within_its_quotes() {
        let schema = Schema::parse("a'{schema_text}{schema}").unwrap();
        let sql = schema.sql("SELECT '{schema_text}.ids', '{}' FROM {schema}.f()");
        let text =
            r#"SELECT '"a''{schema_text}{schema}".ids', '{}' FROM "a'{schema_text}{schema}".f()"#;
        assert_eq!(sql.as_str(), text);
    }

    #[test]
    fn a_name_that_postgres_would_refuse_or_cut_is_refused() {
        let long = "x".repeat(64);
        for name in [
            "",
            "pg_",
            "pg_x",
            "information_schema",
            "a\0b",
            "a$duroxide$b",
            &long,
            &"ü".repeat(32),
        ] {
            let error = Schema::parse(name).unwrap_err().to_string();
            assert!(error.contains("expected a name of 1 to 63 bytes"), "{error}");
        }
        assert!(Schema::parse(&"x".repeat(63)).is_ok());
    }
}
