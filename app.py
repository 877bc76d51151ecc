"""Mini-Batch SGD Lab. Start with: streamlit run app.py"""

if __name__ == "__main__":  # workers re-import the main script; they must find nothing to run
    from mbsgd_core.ui.compare import main

    main()
