"""Reads a delivery status notification on standard input as a mail program would, and prints what it found as JSON."""

import email
import email.policy
import json
import sys


def fields(block):
    return {name.lower(): str(value) for name, value in block.items()}


def content_of(part):
    payload = part.get_payload()
    if isinstance(payload, list):
        return "".join(inner.as_string() for inner in payload)
    return part.get_payload(decode=True).decode("utf-8", "replace")


def main():
    message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.SMTP)
    parts = message.get_payload()
    defects = [repr(defect) for part in message.walk() for defect in part.defects]
    if not isinstance(parts, list) or len(parts) != 3:
        sys.exit(f"not three parts: {message.as_string()}")
    words, status, original = parts
    blocks = [fields(block) for block in status.get_payload()]
    json.dump(
        {
            "defects": defects,
            "head": fields(message),
            "type": message.get_content_type(),
            "report_type": message.get_param("report-type"),
            "parts": [part.get_content_type() for part in parts],
            "words": content_of(words),
            "message": blocks[0],
            "recipients": blocks[1:],
            "original": content_of(original),
        },
        sys.stdout,
    )


main()
