"""Two models that are loaded at the same time, first of all."""

from __future__ import annotations

import subprocess
import sys

LOAD = """
import sys, threading
from explorer.engine.models.first_import import TRANSFORMERS, import_heard

assert "transformers" not in sys.modules
failed, together = [], threading.Barrier(4)

def load():
    together.wait()
    try:
        import_heard(TRANSFORMERS)
        from transformers import AutoConfig
    except ImportError as error:
        failed.append(error)

threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed)
"""


def test_threads_that_need_transformers_at_the_same_time_all_get_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
