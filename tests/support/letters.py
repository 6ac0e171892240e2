"""The smallest stage: some files of one text each."""

from anomaly_gan.core.config import Config
from anomaly_gan.core.files import write_text
from anomaly_gan.core.stage import Context, run_stage


class Letters(Config):
    text: str = "a"
    count: int = 3


def write_letters(config, context, out):
    for number in range(config.count):
        write_text(out / "letters" / f"{number}.txt", config.text)
    return {"count": config.count}


def stage(folder, text="a", function=write_letters, count=3):
    return run_stage("letters", function, Letters(text=text, count=count), Context(0), folder / "letters")
