//! One function for each thing that a Rust program may ask of its host, behind the contract's
//! asynchronous export.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use downpour::faas::state::{self, Durability, StateError};
use downpour::faas::types::FunctionError;

wit_bindgen::generate!({ path: "../../../../../wit", world: "function", generate_all });

struct Functions;
export!(Functions);

const NAMES: &[&str] = &[
    "echo",
    "count",
    "words",
    "log",
    "clock",
    "sleep",
    "yield",
    "random",
    "environment",
    "open",
    "refuse",
    "panic",
    "recurse",
];

impl Guest for Functions {
    fn describe() -> String {
        let functions: Vec<String> = NAMES
            .iter()
            .map(|name| format!(r#"{{"name":"{name}"}}"#))
            .collect();
        format!(
            r#"{{"sdk":"rust 1.0","functions":[{}]}}"#,
            functions.join(",")
        )
    }

    async fn handle(function: String, input: Payload) -> Result<Payload, Failure> {
        let text = String::from_utf8_lossy(&input.body).into_owned();
        let number = || {
            text.parse::<u64>()
                .map_err(|error| Failure::InvalidInput(error.to_string()))
        };
        match function.as_str() {
            "echo" => Ok(input),
            "count" => count(&text),
            "words" => Ok(json(words(&text))),
            "log" => {
                println!("stdout: {text}");
                eprintln!("stderr: {text}");
                Ok(json("null"))
            }
            "clock" => Ok(json(now_ms())),
            "sleep" => {
                std::thread::sleep(Duration::from_millis(number()?));
                Ok(json("null"))
            }
            "yield" => {
                for _ in 0..number()? {
                    wit_bindgen::yield_async().await;
                }
                Ok(json(&text))
            }
            "random" => Ok(json(format!(r#""{:x}""#, RandomState::new().hash_one(0)))),
            "environment" => Ok(json(match std::env::var(&text) {
                Ok(value) => format!("{value:?}"),
                Err(_) => "null".into(),
            })),
            "open" => Ok(json(match std::fs::read(&text) {
                Ok(_) => "true",
                Err(_) => "false",
            })),
            "refuse" => Err(Failure::FunctionError(FunctionError {
                code: "REFUSED".into(),
                message: "as asked".into(),
                details: Some(json(r#"{"left":0}"#)),
            })),
            "panic" => panic!("no such {text}"),
            "recurse" => Ok(json(recurse(number()?))),
            _ => Err(Failure::UnknownFunction(function)),
        }
    }
}

fn json(value: impl ToString) -> Payload {
    Payload {
        media_type: "application/json".into(),
        body: value.to_string().into_bytes(),
    }
}

fn count(key: &str) -> Result<Payload, Failure> {
    let added = state::counter_add(key, 1, Durability::Durable);
    added.map(json).map_err(|error| {
        let code = match error {
            StateError::InvalidKey(_) => "INVALID_KEY",
            StateError::WrongKind(_) => "WRONG_KIND",
            _ => "STATE",
        };
        let message = error.to_string();
        Failure::FunctionError(FunctionError {
            code: code.into(),
            message,
            details: None,
        })
    })
}

/// The most frequent word: a hash map with a few thousand allocations.
fn words(text: &str) -> String {
    let mut counts = HashMap::<String, usize>::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let most = counts
        .iter()
        .max_by_key(|(word, count)| (**count, (*word).clone()));
    most.map_or("null".into(), |(word, count)| {
        format!(r#"["{word}",{count}]"#)
    })
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
}

/// A frame of more than 1 KiB for each level.
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 128]);
    if depth == 0 {
        0
    } else {
        recurse(depth - 1) + frame[1].min(1)
    }
}
