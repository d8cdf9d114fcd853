"""CSV files from anywhere: how they are written, and what a line of them is."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
from pathlib import Path

import pytest

from peva_env.errors import MemoryStoreError
from peva_env.memory.importing.cells import MOST_BYTES, integer, is_missing, number, rounded
from peva_env.memory.importing.csv_file import CsvFile, Refusal, read_csv, unique_paths

TEXT = "name,rate,share\nfiglet,10,0.95\nnaïve,20,1\n"
ROWS = [{"name": "figlet", "rate": "10", "share": "0.95"}, {"name": "naïve", "rate": "20", "share": "1"}]


def rows(file: CsvFile) -> list[dict[str, str] | Refusal]:
    return [row for _, row in file.read(None, dict)]


def archive(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("a.csv")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def saved(folder: Path, data: bytes, name: str = "results.csv") -> CsvFile:
    (folder / name).write_bytes(data)
    return read_csv(folder / name)


GERMAN = TEXT.replace(",", ";").replace("0.95", "0,95")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (TEXT.encode(), ("UTF-8", "commas")),
        (TEXT.encode("utf-8-sig"), ("UTF-8 with BOM", "commas")),
        (TEXT.encode("utf-16"), ("UTF-16", "commas")),
        (TEXT.encode("utf-16-le"), ("UTF-16", "commas")),
        (TEXT.encode("utf-16-be"), ("UTF-16", "commas")),
        (TEXT.encode("utf-32"), ("UTF-32", "commas")),
        (TEXT.encode("latin-1"), ("Latin-1", "commas")),
        (gzip.compress(TEXT.encode(), mtime=0), ("gzip", "UTF-8", "commas")),
        (TEXT.replace(",", "\t").encode(), ("UTF-8", "tabs")),
        (TEXT.replace(",", ";").encode(), ("UTF-8", "semicolons")),
        (TEXT.replace(",", "|").encode(), ("UTF-8", "bars")),
        (GERMAN.encode(), ("UTF-8", "semicolons", "decimal commas")),
        (TEXT.replace("\n", ",,\n").encode(), ("UTF-8", "commas", "trailing separators")),
        (TEXT.replace("\n", "\r\n").encode(), ("UTF-8", "commas")),
        (TEXT.replace("\n", "\r").encode(), ("UTF-8", "commas")),
        (TEXT.replace(",", " , ").replace("\n", "\n\n").encode(), ("UTF-8", "commas")),
        (f"sep=,\r\n{TEXT}".encode(), ("UTF-8", "commas")),
        (f'"sep=;"\n\n{GERMAN}'.encode("utf-8-sig"), ("UTF-8 with BOM", "semicolons", "decimal commas")),
        (("sep=\t\n" + TEXT.replace(",", "\t")).encode(), ("UTF-8", "tabs")),
        (TEXT.replace("figlet", '"figlet"').replace("rate", '"rate"').encode(), ("UTF-8", "commas")),
    ],
)
def test_the_same_table_is_read_however_it_is_written_and_the_way_is_named(
    tmp_path: Path, data: bytes, found: tuple[str, ...]
) -> None:
    file = saved(tmp_path, data)
    assert (file.found, rows(file)) == (found, ROWS)
    has_other_cells = "decimal commas" in file.found
    assert (file.digest != saved(tmp_path, TEXT.encode()).digest) is has_other_cells


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", ("UTF-8", "empty file")),
        (b"\n \n", ("UTF-8", "empty file")),
        (b"a;b\n", ("UTF-8", "semicolons", "header only")),
    ],
)
def test_a_file_without_lines_has_none(tmp_path: Path, data: bytes, found: tuple[str, ...]) -> None:
    file = saved(tmp_path, data)
    assert (file.found[-len(found) :], file.lines) == (found if len(file.found) == len(found) else found[1:], ())


def test_several_commas_in_a_number_separate_thousands_and_so_does_a_single_one(tmp_path: Path) -> None:
    file = saved(tmp_path, b"a;b\n1,000,000;1,5\n")
    assert "decimal commas" not in file.found
    assert rows(file) == [{"a": "1,000,000", "b": "1,5"}]


@pytest.mark.parametrize("shown", ["1,234.5", "-1,234,567.8", "1,234.5e3", "12,34,567.8", "12,34,567", "1,234."])
@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_comma_before_another_mark_shows_that_no_comma_is_a_decimal_mark(
    tmp_path: Path, shown: str, separator: str
) -> None:
    file = saved(tmp_path, f"a;b\n{shown};1\n2,345;1\n".replace(";", separator).encode())
    assert "decimal commas" not in file.found
    assert rows(file) == [{"a": shown, "b": "1"}, {"a": "2,345", "b": "1"}]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("n;x\n1,000;1,000\n", {"1,000": "1000 or 1: write 1000 or 1,0000"}),
        ("n;x\n-12,500;1\n999,125;1\n", {
            "-12,500": "-12500 or -12.5: write -12500 or -12,5000",
            "999,125": "999125 or 999.125: write 999125 or 999,1250",
        }),
        ("n;x\n1,0;0,125\n1,0000;1\n0,125;1\n,125;1\n1234,000;1\n1,000e3;1\n1000;1\nN/A;1\n1,00;1\n", {}),
        ("n;x\n1.000;0,5\n1000;0,5\n", {"1.000": "1000 or 1: write 1000 or 1.0000"}),
        ("n\tx\n1,000\t0.5\n", {"1,000": "1000 or 1: write 1000 or 1.0000"}),
        ("n;x\n1.000;1\n", {"1.000": "1000 or 1: write 1000 or 1.0000"}),
        ("n;x\n1.000;0.500\n", {}),
        ("n;x\n1.000;12.5\n", {}),
        ("n,x\n1.000,0.500\n", {}),
    ],
)  # fmt: skip
def test_a_whole_number_with_what_may_be_thousands_is_refused_and_no_other_number_is(
    tmp_path: Path, text: str, refused: dict[str, str]
) -> None:
    file = saved(tmp_path, text.encode())
    found = [row for _, row in file.read(None, dict, whole=["n", "nope"]) if isinstance(row, Refusal)]
    assert [refusal.reason for refusal in found] == [
        f"n is {cell!r}, which could be {rest}" for cell, rest in refused.items()
    ]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("n;x\n10;12,5\n10;1.234\n10;0.5\n", ["1.234"]),
        ("n;x\n10;12.345,5\n10;1.234\n10;-12.500\n", ["1.234", "-12.500"]),
        ("n;x\n10;1.234.567\n10;1.234\n10;0.95\n", ["1.234"]),
        ('n,x\n10,"12,5"\n10,1.234\n', ["1.234"]),
        ("n\tx\n10\t1,234\n10\t1.234\n", ["1,234", "1.234"]),
        ("n\tx\n20,000\t1.234\n10\t12.5\n", []),
        ('n,x\n"20,000",1.234\n"a",1.234\n', []),
        ("n;x\n10;12,5\n10;1,234\n10;1.234.567\n", []),
        ("n;x\n10,20;12.500\n", []),
        ('n,x\n"10,20",12.500\n', []),
    ],
)
def test_any_number_that_may_have_thousands_is_refused_in_a_file_with_decimal_commas_and_points(
    tmp_path: Path, text: str, refused: list[str]
) -> None:
    file = saved(tmp_path, text.encode())
    found = [row for _, row in file.read(None, dict, numeric=["x"]) if isinstance(row, Refusal)]
    assert [refusal.reason.split(", which")[0] for refusal in found] == [f"x is {cell!r}" for cell in refused]


def test_points_and_commas_in_one_file_may_separate_thousands_and_stay(tmp_path: Path) -> None:
    file = saved(tmp_path, b"a;b\n0,95;1.000\n")
    assert "decimal commas" not in file.found
    assert rows(file) == [{"a": "0,95", "b": "1.000"}]


def test_a_record_is_one_line_so_that_a_stray_quote_swallows_no_other(tmp_path: Path) -> None:
    text = 'name,rate\n"figlet,10\nenv,20\n"two\nlines",30\ncows,"4"0\n"a,b",50\n'
    path = tmp_path / "results.csv"
    assert rows(saved(tmp_path, text.encode())) == [
        Refusal(path, 2, "a quote is not closed on this line"),
        {"name": "env", "rate": "20"},
        Refusal(path, 4, "a quote is not closed on this line"),
        Refusal(path, 5, "a quote is not closed on this line"),
        Refusal(path, 6, "is not CSV: ',' expected after '\"'"),
        {"name": "a,b", "rate": "50"},
    ]


@pytest.mark.parametrize("header", ["requests;cpu;0,5;0,95", "requests;cpu;0.5;0.95"])
@pytest.mark.parametrize("line", ["10;20;12,5;14,5", "10;20;12.5;14.5"])
def test_the_names_of_columns_stay_as_they_are_written_and_are_no_numbers(
    tmp_path: Path, header: str, line: str
) -> None:
    file = saved(tmp_path, f"{header}\n{line}\n".encode())
    assert ("decimal commas" in file.found) == ("," in line)
    names, cells = header.split(";"), line.replace(",", ".").split(";")
    assert rows(file) == [dict(zip(names, cells, strict=True))]


@pytest.mark.parametrize(
    ("header", "other"), [("G;0.5", "G;0.5"), ("G;0.5", "G;0.5;;"), ("G;x", "x;G;0.5"), ("G;x", "x;G\n1.5;2")]
)
def test_a_header_inside_the_file_and_the_lines_below_another_one_tell_nothing_of_its_decimal_mark(
    tmp_path: Path, header: str, other: str
) -> None:
    file = saved(tmp_path, f"{header}\n1,5;2,5\n{other}\n".encode())
    assert "decimal commas" in file.found
    first = rows(file)[0]
    assert isinstance(first, dict)
    assert [*first.values()] == ["1.5", "2.5"]


def test_a_repeated_header_is_no_row(tmp_path: Path) -> None:
    first, again = rows(saved(tmp_path, b"G;x;0,5\n1,5;2;2,5\nG;x;0,5\n"))
    assert first == {"G": "1.5", "x": "2", "0,5": "2.5"}
    assert isinstance(again, Refusal)
    assert (again.line, again.reason) == (3, "it is the header once more")


@pytest.mark.parametrize("note", ["note (a,b,c,d,e,f,g,h)", "a,b,c,d,e,f,g;"])
@pytest.mark.parametrize("line", ["1,5;2;x", "1;2;x;", "1;2;x,y,z", "1;2;;;", "\n\t\n1;2;"])
def test_the_first_line_below_the_header_tells_the_separator_too(tmp_path: Path, note: str, line: str) -> None:
    file = saved(tmp_path, f"rate;cpu;{note}\n{line}\n".encode())
    assert (file.found[1], file.header.cells) == ("semicolons", ["rate", "cpu", note.rstrip(";")])


@pytest.mark.parametrize("line", ["", "1", "1,2,3,4,5", '"1,2,3', "1;2"])
def test_a_line_that_fits_no_separator_tells_nothing(tmp_path: Path, line: str) -> None:
    file = saved(tmp_path, f"rate,cpu,a;b;c;d\n{line}\n".encode())
    assert "semicolons" in file.found
    assert "commas" in saved(tmp_path, f"rate,cpu,note\n{line}\n".encode()).found


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_may_be_of_any_length(tmp_path: Path, quote: str) -> None:
    log = "x" * 300_000
    file = saved(tmp_path, f"rate,log\n10,{quote}{log}{quote}\n".encode())
    assert rows(file) == [{"rate": "10", "log": log}]


@pytest.mark.parametrize("n_nuls", [1, 8192, 8193])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_line_with_nuls_is_refused_and_makes_no_utf16_of_the_others(
    tmp_path: Path, n_nuls: int, encoding: str
) -> None:
    text = TEXT + "\0" * n_nuls
    damage = Refusal(tmp_path / "results.csv", 4, "holds NUL characters, which no text has: the file is damaged")
    assert rows(saved(tmp_path, text.encode(encoding))) == [*ROWS, damage]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_cut_file_in_utf16_is_read_up_to_the_cut(tmp_path: Path, encoding: str) -> None:
    file = saved(tmp_path, TEXT.encode(encoding)[:-3])
    assert (file.found[0], rows(file)[0]) == ("UTF-16", ROWS[0])


def test_a_file_of_many_columns_is_looked_at_once(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(40_000)]
    file = saved(tmp_path, f"{','.join(names)}\n".encode())
    assert file.problem(names) is None
    assert file.problem([*names, "d"]) == "column d is missing"


def test_a_column_may_stand_twice_unless_it_is_used(tmp_path: Path) -> None:
    file = saved(tmp_path, b"a,b,c,b\n1,2,3,4\n")
    assert file.problem(["a"], optional=["c", "d"]) is None
    for problem in (file.problem(["a", "b"]), file.problem(["a"], optional=["b"])):
        assert problem == "column b is there twice"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_line_of_separators_is_a_line(tmp_path: Path, separator: str) -> None:
    lines = "a,b,c", "1,2,3", ",,", "", " ", ",,,,", ","
    file = saved(tmp_path, "\n".join(lines).replace(",", separator).encode())
    path = tmp_path / "results.csv"
    assert rows(file) == [
        {"a": "1", "b": "2", "c": "3"},
        {"a": "", "b": "", "c": ""},
        {"a": "", "b": "", "c": ""},
        Refusal(path, 7, "2 cells instead of 3"),
    ]


def test_lines_of_blanks_above_the_header_are_none(tmp_path: Path) -> None:
    file = saved(tmp_path, b"\t\t\n \na\tb\n1\t2\n")
    assert (file.header.number, rows(file)) == (3, [{"a": "1", "b": "2"}])


def test_cells_too_many_or_too_few_are_refused_by_line(tmp_path: Path) -> None:
    file = saved(tmp_path, b"a,b\n1\n\n1,2\n1,2,3\n")
    path = tmp_path / "results.csv"
    assert rows(file) == [
        Refusal(path, 2, "1 cells instead of 2"),
        {"a": "1", "b": "2"},
        Refusal(path, 5, "3 cells instead of 2"),
    ]


@pytest.mark.parametrize("end", ["", ";"])
def test_lines_may_be_shifted_where_any_line_has_a_value_beyond_the_header(tmp_path: Path, end: str) -> None:
    header, *below = "rate;cpu;note", "1;10;20;", "10;20;fine", "2;10;20;slow", "3;10"
    path = tmp_path / "results.csv"
    assert rows(saved(tmp_path, "\n".join((header + end, *below)).encode())) == [
        Refusal(
            path,
            2,
            "4 cells instead of 3, and another line has a value beyond the header's columns: the cells may be shifted",
        ),
        {"rate": "10", "cpu": "20", "note": "fine"},
        Refusal(path, 4, "4 cells instead of 3"),
        Refusal(path, 5, "2 cells instead of 3"),
    ]


@pytest.mark.parametrize(
    "below",
    [
        ("1,10,20,",),
        ("0,10,20,", "1,11,21,", "2,12,22,"),
        ("0,10,20,", "1,11,21,", "3,12,22,"),
        ("0.0,10,20,", "1.0,11,21,"),
        ("00,10,20,", "01,11,21,,"),
        ("9,10,20,", "8,11,21,"),
        ("10,10,20,", "20,11,21,"),
        ("2023-12-06 10:05:33,123,10,", "Dec 6, 2023,10,", "a,10,20,"),
        ("1,10,20,", "rate,cpu,note,", "2,11,21,"),
        ("1,10,20,", '2,"11,21,', "3,12,22,"),
        ("1,10,20,", "2,11"),
    ],
)
def test_a_line_with_more_cells_than_the_header_may_be_shifted_though_the_last_is_empty(
    tmp_path: Path, below: tuple[str, ...]
) -> None:
    header = "rate,cpu,note"
    *found, last = rows(saved(tmp_path, "\n".join((header, *below, "7,10,20")).encode()))
    assert all(isinstance(row, Refusal) for row in found)
    assert last == {"rate": "7", "cpu": "10", "note": "20"}
    first = found[0]
    assert isinstance(first, Refusal)
    assert "may have shifted them" in first.reason
    for clear in ((f"{header},", *below), (f"number,{header}", *below)):
        assert isinstance(rows(saved(tmp_path, "\n".join(clear).encode()))[0], dict)


@pytest.mark.parametrize("header", ["time,rate,error,", "time,rate,error,,"])
def test_where_lines_end_with_separators_in_different_numbers_those_with_more_may_be_shifted(
    tmp_path: Path, header: str
) -> None:
    found = rows(saved(tmp_path, f"{header}\n1,10,\nDec 6, 2023,20,\n,,,,,\n3,30,none\n".encode()))
    assert [isinstance(row, Refusal) for row in found] == [False, True, False, False]
    found = rows(saved(tmp_path, f"{header}\n1,10,,\n2,20,,\n".encode()))
    assert not any(isinstance(row, Refusal) for row in found)


OTHER_HEADER = (
    "line 4 holds names of columns, as another header does: the lines from there on may have other columns; import "
    "that part as a file of its own, or complete that line if it was cut, or rename the columns if it is a row"
)


@pytest.mark.parametrize(
    "other",
    [
        "ram,rate,cpu\n30,20,10\n",
        "ram,rate,cpu,note\n30,20,10,1\n40,20,10,\n",
        "time,cpu,ram\n1,20,30\n",
        "rate,ram\n20,30\n",
        '"ram","rate","cpu"\n30,20,10\n',
        "ram,rate,cpu\n30,20,10\nrate,cpu,ram\n10,20,30\n",
        "ram,rate,0.5\n30,20,10\n",
    ],
)
def test_lines_below_another_header_have_other_columns_and_are_refused(tmp_path: Path, other: str) -> None:
    header = "rate,cpu,ram,0.5" if "0.5" in other else "rate,cpu,ram"
    own, cells = f"{header},\n10,20,30,\n11,21,31,\n", {"rate": "10", "cpu": "20", "ram": "30"}
    first, _, *refused = rows(saved(tmp_path, gzip.compress(own.encode()) + gzip.compress(other.encode())))
    assert isinstance(first, dict)
    assert first.items() >= cells.items()
    assert refused == [
        Refusal(tmp_path / "results.csv", line, OTHER_HEADER) for line in range(4, 4 + other.count("\n"))
    ]


def test_another_header_may_stand_at_the_end_of_a_last_line_without_a_newline(tmp_path: Path) -> None:
    own = "rate,cpu,ram\n1,2,3\n10,20,30\n10,20,30"
    found = rows(saved(tmp_path, f"{own}ram,rate,cpu\n32,30,85\n".encode()))[2:]
    assert found == [Refusal(tmp_path / "results.csv", line, OTHER_HEADER) for line in (4, 5)]
    same = rows(saved(tmp_path, f"{own}rate,cpu,ram\n30,85,32\n".encode()))[2:]
    assert same[1] == {"rate": "30", "cpu": "85", "ram": "32"}


@pytest.mark.parametrize(
    "other",
    [
        '"ram,rate,cpu',
        '"ram,"rate",cpu',
        "ram,ra\0te,cpu,\0",
        "\0ram,rate,cpu",
        "ram;rate;cpu",
        "ram\trate\tcpu",
        "ram|rate|1",
        "rate,cpu,2024",
        "ram,rate,cpu,2023,2024",
        '"rate,cpu,ram',
        "rate;cpu;ram",
        '10,20,"30ram,rate,cpu',
        "'ram','rate','cpu'",
        "`ram`,`rate`,`cpu`",
        "[ram],[rate],[cpu]",
        "ram;rate;cpu;note (x,y)",
        ",ram;rate;cpu",
        "ram   rate   cpu",
        "ram:rate:cpu",
        "ram,rate  cpu",
        "ram\trate\tcpu\tnote, place",
    ],
)
def test_another_header_may_be_damaged_or_separated_otherwise_or_have_numbers(tmp_path: Path, other: str) -> None:
    found = rows(saved(tmp_path, f"rate,cpu,ram\n1,2,3\n4,5,6\n{other}\n30,20,10\n".encode()))
    assert found[2:] == [Refusal(tmp_path / "results.csv", line, OTHER_HEADER) for line in (4, 5)]


@pytest.mark.parametrize(
    "line", ['"a,10,rate', '"rate,rate,10', "a\0,rate", "rate", "rate;rate", "\0", "the rate of the cpu", "rate 10"]
)
def test_a_damaged_line_that_is_no_other_header_is_refused_alone(tmp_path: Path, line: str) -> None:
    found = rows(saved(tmp_path, f"rate,cpu,ram\n{line}\n10,20,30\n".encode()))
    assert isinstance(found[0], Refusal)
    assert found[1:] == [{"rate": "10", "cpu": "20", "ram": "30"}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_header_below_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    own, other = "rate,cpu\n1,2\n3,4\n".encode(encoding), "cpu,rate\n2,1\n".encode(encoding)
    found = rows(saved(tmp_path, own + other))
    assert found[2:] == [Refusal(tmp_path / "results.csv", line, OTHER_HEADER) for line in (4, 5)]
    same = rows(saved(tmp_path, own + own))
    assert same[3:] == [{"rate": "1", "cpu": "2"}, {"rate": "3", "cpu": "4"}]


@pytest.mark.parametrize(
    "line",
    [
        "function_a,rate,function_b,cpu,",
        "function_a,rate,function_b,cpu,,,",
        "function_a,10,function_b,20,",
        "function_a,10,function_a,,",
        "a,10,rate,20,",
        "-,,-,,",
    ],
)
def test_a_line_with_numbers_and_one_that_equals_the_header_are_no_other_header(tmp_path: Path, line: str) -> None:
    header, last = "function_a,rate,function_b,cpu", "a,10,b,20"
    found = rows(saved(tmp_path, f"{header}\n{line}\n{last}\n".encode()))
    assert found[-1] == {"function_a": "a", "rate": "10", "function_b": "b", "cpu": "20"}
    assert isinstance(found[0], Refusal)
    assert "may have shifted them" in found[0].reason


def test_row_numbers_without_a_name_are_found_above_another_header(tmp_path: Path) -> None:
    found = rows(saved(tmp_path, b"rate,cpu,note\n1,10,20,\n2,11,21,\ncpu,rate,note\n20,10,\n"))
    reasons = [row.reason if isinstance(row, Refusal) else "none" for row in found]
    assert ["may have shifted them" in reason for reason in reasons] == [True, True, False, False]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "is a damaged gzip file"),
        (b"PK\x03\x04 and so on", "is a ZIP archive or an Excel file; save its table as CSV"),
        (gzip.compress(b"PK\x03\x04 and so on", mtime=0), "is a ZIP archive or an Excel file; save its table as CSV"),
        (gzip.compress(gzip.compress(TEXT.encode(), mtime=0), mtime=0), "is packed by gzip twice; unpack it once"),
        (bz2.compress(TEXT.encode()), "is packed by bzip2; unpack it, or pack it by gzip"),
        (lzma.compress(TEXT.encode()), "is packed by xz; unpack it, or pack it by gzip"),
        (b"\x28\xb5\x2f\xfd and so on", "is packed by zstd; unpack it, or pack it by gzip"),
        (b"7z\xbc\xaf\x27\x1c and so on", "is a 7z archive; unpack it"),
        (b"Rar!\x1a\x07\x01\x00 and so on", "is a RAR archive; unpack it"),
        (archive(TEXT.encode()), "is a tar archive; unpack it"),
        (gzip.compress(archive(TEXT.encode()), mtime=0), "is a tar archive; unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "is an Excel file; save its table as CSV"),
        (bytes(8) + b"DUCK\xe7\x03" + bytes(6), "is a DuckDB file; peva-env memory merge reads those"),
        (
            b"PAR1\x15\x00\x0a and so on PAR1",
            "is a Parquet file; peva-env memory preload reads a folder of such files ",
        ),
    ],
)
def test_what_is_no_text_is_one_clear_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(MemoryStoreError, match=said):
        saved(tmp_path, data)


@pytest.mark.parametrize("column", ["PAR1", "BZh", "BZh91"])
def test_a_text_that_begins_as_another_kind_of_file_is_text(tmp_path: Path, column: str) -> None:
    assert rows(saved(tmp_path, f"{column},x\n1,2\n".encode())) == [{column: "1", "x": "2"}]


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MemoryStoreError, match="cannot be read: Is a directory"):
        read_csv(tmp_path)


def test_the_name_of_a_file_is_without_its_endings(tmp_path: Path) -> None:
    names = {name: saved(tmp_path, TEXT.encode(), name).stem for name in ("a.csv", "a.csv.gz", "a.b.csv", "a")}
    assert names == {"a.csv": "a", "a.csv.gz": "a", "a.b.csv": "a.b", "a": "a"}


def test_each_file_is_read_once_by_the_path_that_was_given(tmp_path: Path) -> None:
    real, sub = tmp_path / "b.csv", tmp_path / "sub"
    real.write_text("")
    sub.mkdir()
    for name in ("a.csv", "c.csv"):
        (tmp_path / name).symlink_to(real)
    (tmp_path / "link").symlink_to(sub)
    (sub / "d.csv").write_text("")
    given: list[str | Path] = [tmp_path / "a.csv", real, tmp_path / "." / "b.csv", "-", "-", "nope.csv"]
    assert unique_paths(given) == [real, Path("-"), Path("nope.csv")]
    assert unique_paths([tmp_path / "c.csv", tmp_path / "a.csv"]) == [tmp_path / "a.csv"]
    assert unique_paths([tmp_path / "link" / "d.csv"]) == [tmp_path / "link" / "d.csv"]
    assert unique_paths([tmp_path / "link" / "d.csv", sub / "d.csv"]) == [sub / "d.csv"]
    assert unique_paths([tmp_path / "link" / ".." / "a.csv"]) == [tmp_path / "a.csv"]


def test_a_descriptor_of_a_file_is_called_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("")
    with path.open() as file:
        assert unique_paths([f"/dev/fd/{file.fileno()}"]) == [path]


# --- cells ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["", "-", "--", "N/A", "n/a", "#N/A", "NA", "nan", "NaN", "-nan", "NULL", "None", "nil"]
)
def test_words_for_a_missing_value(cell: str) -> None:
    assert is_missing(cell)
    assert number({"a": cell}, "a") is None


@pytest.mark.parametrize(
    ("cell", "value"), [("10", 10), ("+1.5", 1.5), (".5", 0.5), ("5.", 5), ("1e3", 1000), ("0", 0)]
)
def test_numbers(cell: str, value: float) -> None:
    assert number({"a": cell}, "a") == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1_000", "a is '1_000', not a number: write it without separators, with a decimal point"),
        ("1,5", "a is '1,5', not a number: write it without separators, with a decimal point"),
        ("1.000.000", "a is '1.000.000', not a number: write it without separators, with a decimal point"),
        ("١٢", "a is '١٢', not a number: only the digits 0 to 9 count"),
        ("１２", "a is '１２', not a number: only the digits 0 to 9 count"),
        ("1²", "a is '1²', not a number: only the digits 0 to 9 count"),
        ("0x10", "a is '0x10', not a number"),
        ("10 rps", "a is '10 rps', not a number"),
        ("1e999", "a is 1e999, not finite"),
        ("Infinity", "a is Infinity, not finite"),
        ("-1", "a is -1, negative"),
        ("9" * 5000, f"a is {'9' * 59}…, not finite"),
        ("x" * 3_000_000, f"a is '{'x' * 59}…', not a number"),
    ],
)
def test_what_is_no_number_is_refused_with_a_reason(cell: str, reason: str) -> None:
    for read in (number, integer):
        with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
            read({"a": cell}, "a")


def test_bytes_are_as_the_file_has_them_or_refused() -> None:
    assert rounded({"a": "9007199254740991"}, "a") == MOST_BYTES
    for cell in ("9007199254740992", "9007199254740993", "9223372036854775807"):
        with pytest.raises(ValueError, match=f"^a is {cell}, more than 9007199254740991$"):
            rounded({"a": cell}, "a")
