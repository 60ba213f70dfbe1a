//! What is broken over lines.

/// A line end before a blank is a fold, in header fields as in calendars and vCards: it is taken out with the blank.
pub fn unfolded(text: &str) -> Vec<String> {
    if !text.contains("\n ") && !text.contains("\n\t") {
        return Vec::new();
    }
    let text = text.replace("\r\n", "\n");
    vec![text.replace("\n ", "").replace("\n\t", ""), text.replace("\n ", " ").replace("\n\t", " ")]
}

/// `format=flowed; delsp=yes` (RFC 3676): a blank at the end of a line, and the marks of quotation after it, are a soft break.
pub fn flowed(text: &str) -> Vec<String> {
    if !text.contains(" \r\n") && !text.contains(" \n") {
        return Vec::new();
    }
    let mut joined = String::with_capacity(text.len());
    let mut soft = false;
    for line in text.lines() {
        joined.push_str(if soft { without_marks(line) } else { line });
        soft = line.ends_with(' ') && line != "-- ";
        if soft {
            joined.pop();
        } else {
            joined.push('\n');
        }
    }
    vec![joined]
}

/// A quotation that a mail program has wrapped: lines after a mark are one line.
pub fn quoted_lines_joined(text: &str) -> Vec<String> {
    if !text.contains("\n>") {
        return Vec::new();
    }
    let lines: Vec<&str> = text.lines().map(without_marks).collect();
    vec![lines.join("\n"), lines.join(" "), lines.concat()]
}

fn without_marks(line: &str) -> &str {
    let rest = line.trim_start_matches(['>', ' ']);
    if line.starts_with('>') { rest } else { line }
}
