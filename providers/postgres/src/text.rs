//! Text of users on its way into the database and back: PostgreSQL takes every character but
//! NUL, so that one is written as two others. Not here: payloads and messages, which are bytes.

use std::borrow::Cow;

/// Begins what stands for another character. Unicode gives it no meaning, so that nobody's
/// text is changed in practice; should it occur, it is escaped like NUL.
const MARK: char = '\u{10FFFE}';
/// Stands between the parts of a kind, and is in no escaped text. The schema has it too.
const BETWEEN: &str = "\u{10FFFE}2";

/// The stored form.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', MARK]) {
        Cow::Owned(text.replace(MARK, "\u{10FFFE}1").replace('\0', "\u{10FFFE}0"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text of a stored form.
pub(crate) fn unescape(text: String) -> String {
    if text.contains(MARK) {
        text.replace("\u{10FFFE}0", "\0").replace("\u{10FFFE}1", "\u{10FFFE}")
    } else {
        text
    }
}

/// What a node must have registered or take, as the column `kind` has it: a name, and a
/// version or tag if there is one.
pub(crate) fn kind(name: &str, more: Option<&str>) -> String {
    match more {
        None => escape(name).into_owned(),
        Some(more) => format!("{}{BETWEEN}{}", escape(name), escape(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_as_it_was_and_without_nul_in_between() {
        for text in
            ["", "a", "日本\n", "\0", "a\0\0b", "\u{10FFFE}", "\u{10FFFE}0", "\0\u{10FFFE}1"]
        {
            let stored = escape(text);
            assert!(!stored.contains('\0'));
            assert_eq!(unescape(stored.into_owned()), text);
        }
    }

    #[test]
    fn kinds_of_different_names_and_tags_differ() {
        assert_ne!(kind("a", None), kind("a", Some("")));
        assert_ne!(kind("a\u{10FFFE}2b", None), kind("a", Some("b")));
    }
}
