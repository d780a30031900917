"""``d360 examples``: the examples are listed, and copied without touching what is there."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_d360 import cli

EXAMPLES = sorted((Path(__file__).parents[2] / "example_dags").glob("*.py"))


def test_the_examples_are_listed_with_what_they_show(capsys):
    assert cli.main(["examples"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [example.stem for example in EXAMPLES]
    assert "Send a WhatsApp message, and quote it in the next one." in " ".join(lines)


def test_the_examples_are_copied_into_a_new_folder(tmp_path, capsys):
    assert cli.main(["examples", str(tmp_path / "airflow/dags")]) == 0
    copied = sorted((tmp_path / "airflow/dags").iterdir())
    assert [file.read_text() for file in copied] == [file.read_text() for file in EXAMPLES]
    assert str(copied[0]) in capsys.readouterr().out


def test_a_file_that_is_there_is_left_alone(tmp_path, capsys):
    mine = tmp_path / EXAMPLES[0].name
    mine.write_text("mine")
    assert cli.main(["examples", str(tmp_path)]) == 0
    assert mine.read_text() == "mine"
    assert f"{mine} is there already: left as it is" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path, capsys):
    (tmp_path / "dags").write_text("a file")
    assert cli.main(["examples", str(tmp_path / "dags")]) == 1
    assert "Name a folder that you may write to" in capsys.readouterr().err
