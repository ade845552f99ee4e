//! Puts what the TOML reader says into the words of a configuration: `what is wrong; expected …`.

/// Keys that a later version reads, and what this one does not have.
const LATER: [(&str, &[&str]); 1] = [("choice of edges: a line tells both", &["edge"])];

/// Turns a message of the TOML reader about the text `written` into a sentence that says what was expected.
pub(super) fn plain(message: &str, written: &str) -> String {
    let message = message.replace("invalid type: map", "a table").replace("invalid type: sequence", "a list");
    let message = message.replace("a sequence", "a list").replace("literal string", "a string in quotes");
    if let Some(unknown) = message.strip_prefix("unknown field ") {
        let expected = unknown.split_once(", expected ").map_or("no key here", |(_, expected)| expected);
        return format!("{}; expected {}", unknown_key(written), expected.replace("one of ", ""));
    }
    if let Some(missing) = message.strip_prefix("missing field ") {
        return format!("no {missing}; expected it in this table");
    }
    if message == "duplicate key" {
        return format!("`{written}` is here a second time; expected each key once");
    }
    let message = message.trim_start_matches("invalid type: ").trim_start_matches("invalid value: ");
    if message.contains("; expected ") {
        return message.to_owned();
    }
    match message.split_once(", expected ") {
        Some((wrong, "nothing")) => format!("{wrong}; expected nothing more here"),
        Some((wrong, expected)) => format!("{wrong}; expected {expected}"),
        None => format!("{message}; expected TOML, as `soquete config example` prints it"),
    }
}

/// Says that a key is unknown; of one that a later version knows, that this one does not.
fn unknown_key(written: &str) -> String {
    let key = written.trim_matches(['"', '\'']);
    match LATER.iter().find(|(_, keys)| keys.contains(&key)) {
        Some((what, _)) => format!("`{key}`: this version has no {what}"),
        None => format!("unknown key `{key}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_message_becomes_a_sentence() {
        let table = [
            (
                "unknown field `serv`, expected one of `serve`, `lines`",
                "serv",
                "unknown key `serv`; expected `serve`, `lines`",
            ),
            ("unknown field `b`, expected `a` or `c`", "'b'", "unknown key `b`; expected `a` or `c`"),
            (
                "unknown field `edge`, expected `a`",
                "edge",
                "`edge`: this version has no choice of edges: a line tells both; expected `a`",
            ),
            ("missing field `send`", "[[rules]]", "no `send`; expected it in this table"),
            ("duplicate key", "name", "`name` is here a second time; expected each key once"),
            ("invalid type: integer `5`, expected a string", "5", "integer `5`; expected a string"),
            ("invalid type: map, expected a sequence", "{}", "a table; expected a list"),
            ("\"x, expected y\": wrong; expected right", "\"x\"", "\"x, expected y\": wrong; expected right"),
            ("unclosed array, expected `]`", "", "unclosed array; expected `]`"),
            ("extra `=`, expected nothing", "=", "extra `=`; expected nothing more here"),
            ("a riddle", "", "a riddle; expected TOML, as `soquete config example` prints it"),
        ];
        for (message, written, sentence) in table {
            assert_eq!(plain(message, written), sentence);
        }
    }
}
