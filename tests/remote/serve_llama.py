"""`python -m tests.remote.serve_llama GGUF PORT`: llama.cpp's own HTTP server on this machine, in its exact mode."""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main(gguf: str, port: int) -> None:
    """Serve until killed. Cache in float32 and no flash attention: else numbers are off by 1e-2."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = gguf
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.n_ctx, chosen.n_parallel = 4096, 4
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = 1
    chosen.warmup = False
    chosen.cache_type_k = chosen.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    chosen.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(chosen)
    print(server.listening_address, flush=True)
    threading.Event().wait()


main(sys.argv[1], int(sys.argv[2]))
