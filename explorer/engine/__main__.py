"""`python -m explorer.engine`: the engine process, on its stdin and stdout."""

from explorer.engine.leash import end_with_client

if __name__ == "__main__":
    end_with_client()
    from explorer.engine.server import main

    main()
