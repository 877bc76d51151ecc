"""Mini-Batch SGD Lab. Start with: streamlit run app.py"""

from streamlit.starlette import App

from mbsgd_core.ui import server, uploads

# The server imports this file once and finds `app`; each visit then runs it as the home page.
app = App("app.py", lifespan=server.lifespan, routes=server.routes(), middleware=uploads.middleware())

if __name__ == "__main__":
    from mbsgd_core.ui.bench import main

    main()
