"""The figures as tables."""

MIB = 1024 * 1024
NOISY = 0.1


def load_tables(rows):
    """A table for each kind of load; ratios are to the Postfix and the Exim whose aliases are kept alike."""
    lines = []
    for cell in dict.fromkeys((row["size"], row["reuse"]) for row in rows):
        here = [row for row in rows if (row["size"], row["reuse"]) == cell]
        lines += load_table(*cell, here)
    return "\n".join(lines)


def load_table(size, reuse, rows):
    title = f"{size // 1024} KB, " + ("connections used again" if reuse else "a connection for each message")
    head = ["", "messages/s", "(min-max)", "CPU ms", "database", "PSS MB",
            "/Postfix", "CPU", "PSS", "/Exim", "CPU", "PSS", "noise"]
    body = [load_line(row, rows) for row in rows]
    return ["", f"Load: {title}. CPU is a message's.", *table(head, body)]


def load_line(row, rows):
    return [row["system"], figure(row["rate"], 0), f"({row['rate_min']:.0f}-{row['rate_max']:.0f})",
            figure(row["cpu_ms"], 3), figure(row["database_cpu_ms"], 3), megabytes(row["peak_bytes"]),
            *(ratio_text for kind in ("postfix", "exim") for ratio_text in ratio_texts(row.get(f"to_{kind}"))),
            f"{row['foreign']:.0%}" + ("!" if row["foreign"] > NOISY else "")]


def add_ratios(rows, systems):
    """Puts `to_postfix` and `to_exim` into the rows: each figure divided by the peer's of the same load."""
    kinds = {system.name: system.kind for system in systems}
    tables = {system.name: system.tables for system in systems}
    for row in rows:
        alike = [other for other in rows if (other["size"], other["reuse"]) == (row["size"], row["reuse"])]
        for kind in ("postfix", "exim"):
            peers = [other for other in alike if kinds[other["system"]] == kind]
            if peers and row["cpu_ms"] is not None:
                peer = min(peers, key=lambda other: is_mariadb(tables, other) != is_mariadb(tables, row))
                row[f"to_{kind}"] = {"peer": peer["system"]} | {
                    key: row[key] / peer[key] if peer[key] else None for key in ("rate", "cpu_ms", "peak_bytes")}


def is_mariadb(tables, row):
    return tables[row["system"]] == "mariadb"


def ratio_texts(ratios):
    if ratios is None:
        return ["", "", ""]
    return [significant(ratios[key]) for key in ("rate", "cpu_ms", "peak_bytes")]


def latency_table(rows):
    body = [[row["system"], str(row["messages"]), *(figure(row[key], 2) for key in ("p50_ms", "p99_ms", "max_ms"))]
            for row in rows]
    return "\n".join(["", "Latency: ms from connecting to the 250 after the final dot, 10 KB.",
                      *table(["", "messages", "p50", "p99", "max"], body)])


def idle_table(rows):
    body = [[row["system"], str(row["connections"]), megabytes(row["empty_bytes"]),
             figure(row["bytes_per_connection"] / 1024, 1)] for row in rows]
    return "\n".join(["", "Idle connections: growth of PSS, after EHLO.",
                      *table(["", "connections", "PSS MB without", "KiB each"], body)])


def start_table(rows):
    body = [[row["system"], str(row["starts"]), figure(row["median_ms"], 1), figure(row["max_ms"], 1)] for row in rows]
    return "\n".join(["", "Start: ms from exec to the banner.", *table(["", "starts", "median", "max"], body)])


TABLES = {"load": load_tables, "latency": latency_table, "idle": idle_table, "start": start_table}


def table(head, body):
    """Lines with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    return [line_of(first, rest, widths) for first, *rest in [head, *body]]


def line_of(first, rest, widths):
    cells = [text.rjust(width) for text, width in zip(rest, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *cells]).rstrip()


def figure(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def megabytes(value):
    return figure(value and value / MIB, 1)


def significant(value):
    """Two digits that say something: 0.089, 0.89, 8.9, 89."""
    if value is None:
        return ""
    digits = next((digits for digits, least in enumerate((10, 1, 0.1)) if value >= least), 3)
    return f"{value:.{digits}f}"
