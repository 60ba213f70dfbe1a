//! A delivery status notification as the `email` package of Python reads it: somebody else's parser, not ours.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Field names in lower case, and their values.
type Fields = BTreeMap<String, String>;

/// A report (RFC 3464) that was read without a defect.
#[derive(Debug)]
pub struct Report {
    /// Its header.
    pub head: Fields,
    /// What it says to a person.
    pub words: String,
    /// The fields about the message.
    pub message: Fields,
    /// The fields about each recipient.
    pub recipients: Vec<Fields>,
    /// The media type of the third part.
    pub original_type: String,
    /// The third part: the message, or its header.
    pub original: String,
}

impl Report {
    /// # Panics
    /// When it is no report, or Python finds something wrong with it.
    pub fn read(message: &[u8]) -> Self {
        let found = parse(message);
        assert_eq!(found["defects"], Value::Array(Vec::new()), "{found}");
        assert_eq!(
            (&found["type"], &found["report_type"]),
            (&"multipart/report".into(), &"delivery-status".into())
        );
        assert_eq!(found["parts"][0], "text/plain");
        assert_eq!(found["parts"][1], "message/delivery-status");
        let recipients = found["recipients"].as_array().expect("recipients");
        assert!(!recipients.is_empty(), "{found}");
        Self {
            head: fields(&found["head"]),
            words: text(&found["words"]),
            message: fields(&found["message"]),
            recipients: recipients.iter().map(fields).collect(),
            original_type: text(&found["parts"][2]),
            original: text(&found["original"]),
        }
    }

    /// The fields about its only recipient.
    pub fn recipient(&self) -> &Fields {
        let [only] = self.recipients.as_slice() else { panic!("not one recipient: {:?}", self.recipients) };
        only
    }

    /// Whose it is, what became of it, and with which status.
    pub fn verdict(&self) -> [&str; 3] {
        ["final-recipient", "action", "status"].map(|name| self.recipient()[name].as_str())
    }
}

fn parse(message: &[u8]) -> Value {
    let script = include_str!("report.py");
    let mut command = Command::new("python3");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 is not installed: run ./test");
    child.stdin.take().expect("a pipe").write_all(message).expect("Python reads");
    let output = child.wait_with_output().expect("a child of ours");
    let whole = String::from_utf8_lossy(message);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Python cannot read the report:\n{errors}\n{whole}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{whole}"))
}

fn fields(block: &Value) -> Fields {
    let block = block.as_object().expect("fields");
    block.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
