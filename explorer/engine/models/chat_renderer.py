"""The process that renders chat templates: a stranger's programs, which may loop, or double a text until memory ends.

`python -m explorer.engine.models.chat_renderer` reads one JSON object a line from stdin and answers with one a line on
stdout: `{"text": …}` or `{"failure": …}`. Its parent (`explorer.engine.models.chat`) ends it where it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

MOST_CHARACTERS = 1 << 20
"""Of a prompt: several times what any model's context holds of English."""
MOST_BYTES = 1 << 29
"""Of memory, more than the process takes by itself."""


def main() -> None:
    """Answer until stdin ends."""
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # whatever else prints
        from transformers.utils import chat_template_utils  # noqa: F401  # the slow part, before the limits are set

        _limit_memory()
        _send(answers, {"text": ""})
        for line in sys.stdin.buffer:
            asked = json.loads(line)
            _limit_time(asked["seconds"])
            _send(answers, _answer(asked))


def _send(answers: Any, answer: Mapping[str, str]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _answer(asked: Mapping[str, Any]) -> dict[str, str]:
    try:
        text = _render(asked["template"], asked["context"], asked["day"])
        if len(text) > asked["characters"]:
            return {"failure": f"it writes {len(text):,} characters: more than the limit of {asked['characters']:,}"}
    except MemoryError:
        return {"failure": f"it needs more than {MOST_BYTES >> 20:,} MiB of memory"}
    except Exception as error:  # the template may raise anything
        return {"failure": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return {"text": text}


def _render(template: str, context: Mapping[str, Any], day: str) -> str:
    # transformers' own sandbox, without `apply_chat_template`, which lets no function of ours through
    from transformers.utils.chat_template_utils import _compile_jinja_template

    now = datetime.combine(date.fromisoformat(day), time())
    return str(_compile_jinja_template(template).render(**context, strftime_now=now.strftime))


def _limit_memory() -> None:
    """Let the process take `MOST_BYTES` more than now, where the system says how much that is (Linux)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MOST_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_time(seconds: int) -> None:
    """End by itself a while after its parent would have ended it: the parent may be gone."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime) + 2 * seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
