from incumbent.cli import main

main()
