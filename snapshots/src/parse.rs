//! Rendered histories, read back. The inverse of `duroxide_core::render`: what it wrote gives
//! equal events. Not here: whether they are a history (`History::parse`).

use duroxide_core::{Event, decode_event};
use duroxide_scenarios::by_hand::Recording;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value as Json, json};

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// What [`text`](crate::text) wrote, read back.
pub fn parse(text: &str) -> Result<Vec<Recording>, ParseError> {
    let mut recordings: Vec<Recording> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let read = read_line(&mut recordings, line);
        read.map_err(|problem| ParseError { line: number, problem })?;
    }
    Ok(recordings)
}

fn read_line(recordings: &mut Vec<Recording>, line: &str) -> Result<(), String> {
    if let Some(instance) = line.strip_prefix("instance ") {
        let (instance, executions) = (instance.to_owned(), Vec::new());
        recordings.push(Recording { instance, executions });
        return Ok(());
    }
    let recording = recordings.last_mut().ok_or("it stands before the first instance")?;
    if let Some(number) = line.strip_prefix("execution ") {
        recording.executions.push(Vec::new());
        let expected = recording.executions.len().to_string();
        return (number == expected).then_some(()).ok_or(format!("execution {expected} is next"));
    }
    let execution = recording.executions.last_mut().ok_or("it stands before an execution")?;
    execution.push(parse_event(line)?);
    Ok(())
}

/// `#2 turn 1 @7 TimerCreated delay_ms=5 fire_at=12`, with `…` behind it if it splits its turn.
fn parse_event(line: &str) -> Result<Event, String> {
    let (line, split) = match line.strip_suffix(" …") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let mut rest = Rest(line.trim_start());
    rest.take("#")?;
    let id = rest.number()?;
    rest.take(" turn ")?;
    let turn = rest.number()?;
    rest.take(" @")?;
    let at = rest.number()?;
    rest.take(" ")?;
    let kind = rest.word().to_owned();
    let mut fields = Map::new();
    while !rest.0.is_empty() {
        rest.take(" ")?;
        let (field, value) = rest.field()?;
        fields.insert(field, value);
    }
    let named = format!("`{kind}`");
    let kind = Json::Object(Map::from_iter([(kind, Json::Object(fields))]));
    let event = json!({ "id": id, "turn": turn, "at": at, "split": split, "kind": kind });
    decode_event(event.to_string().as_bytes()).map_err(|error| format!("{named}: {error}"))
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take(&mut self, mark: &str) -> Result<(), String> {
        let Self(rest) = self;
        self.0 = rest.strip_prefix(mark).ok_or_else(|| format!("no {mark:?} before {rest:?}"))?;
        Ok(())
    }

    fn split_at(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// As far as the next blank or parenthesis.
    fn word(&mut self) -> &'a str {
        self.split_at(self.0.find([' ', ')']).unwrap_or(self.0.len()))
    }

    fn number(&mut self) -> Result<u64, String> {
        let word = self.word();
        word.parse().map_err(|_| format!("{word:?} is no number"))
    }

    /// The text of the JSON value that stands here.
    fn json<T: DeserializeOwned>(&mut self) -> Result<(&'a str, T), String> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter();
        match values.next() {
            Some(Ok(value)) => Ok((self.split_at(values.byte_offset()), value)),
            Some(Err(error)) => Err(format!("{:?} is no JSON: {error}", self.0)),
            None => Err("a value is missing".to_owned()),
        }
    }

    /// `name=value`
    fn field(&mut self) -> Result<(String, Json), String> {
        let name = self.split_at(self.0.find('=').unwrap_or_default());
        self.take("=")?;
        let value = match name {
            "input" | "output" | "result" | "data" => self.payload()?,
            _other => self.value()?,
        };
        Ok((name.to_owned(), value))
    }

    fn payload(&mut self) -> Result<Json, String> {
        if self.take("~").is_ok() {
            return Ok(self.json()?.1);
        }
        let (text, _) = self.json::<IgnoredAny>()?;
        Ok(Json::String(text.to_owned()))
    }

    fn value(&mut self) -> Result<Json, String> {
        match self.0.chars().next() {
            Some('(') => self.failure(),
            Some('#') => {
                self.take("#")?;
                self.number().map(Json::from)
            }
            Some('"' | '{' | '[') => Ok(self.json()?.1),
            Some(_) => {
                let word = self.word();
                Ok(serde_json::from_str(word).unwrap_or_else(|_| Json::String(word.to_owned())))
            }
            None => Err("a value is missing".to_owned()),
        }
    }

    /// `(Kind field=value …) "message"`
    fn failure(&mut self) -> Result<Json, String> {
        self.take("(")?;
        let mut fields = Map::from_iter([("kind".to_owned(), Json::from(self.word()))]);
        while self.take(" ").is_ok() {
            let (field, value) = self.field()?;
            fields.insert(field, value);
        }
        self.take(") ")?;
        fields.insert("message".to_owned(), self.json()?.1);
        Ok(Json::Object(fields))
    }
}
